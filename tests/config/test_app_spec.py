"""Which application is loaded, and what is said when it can not be."""

from __future__ import annotations

import pytest

from config.command_line import CommandLine

MODULE = """\
def application(environ, start_response): ...
app = application
nothing = None
number = 3

def create_app(*names, **options):
    print("factory", names, sorted(options.items()))
    return application

def one(name): return application
def returns_none(): return None
def returns_text(): return "text"
def raises(): raise TypeError("from inside")
def raises_deep(): return len(3)
"""

GOOD = {
    "spec": "",
    "spec:app": "",
    "spec:create_app()": "factory () []",
    "spec:create_app('a', y=[1, {'k': 2}])": "factory ('a',) [('y', [1, {'k': 2}])]",
    "spec:create_app(-1, b'x', None, True)": "factory (-1, b'x', None, True) []",
    "package.spec:app": "",
}
BAD = {
    "spec:": "Failed to parse '' as an attribute name or function call.",
    "spec:(": "Failed to parse '(' as an attribute name or function call.",
    "spec:a.b": "Failed to parse 'a.b' as an attribute name or function call.",
    "spec:3": "Failed to parse '3' as an attribute name or function call.",
    "spec:app:app": "Failed to parse 'app:app' as an attribute name or function call.",
    "spec:a.b()": "Function reference must be a simple name: 'a.b()'",
    "spec:create_app(name)": "Failed to parse arguments as literal values: 'create_app(name)'",
    "spec:create_app(x=f())": "Failed to parse arguments as literal values: 'create_app(x=f())'",
    "spec:missing": "Failed to find attribute 'missing' in 'spec'.",
    "spec:missing()": "Failed to find attribute 'missing' in 'spec'.",
    "spec:nothing": "Failed to find application object: 'nothing'",
    "spec:returns_none()": "Failed to find application object: 'returns_none()'",
    "spec:number": "Application object must be callable.",
    "spec:returns_text()": "Application object must be callable.",
    "spec:one(zz=1)": "TypeError: one() got an unexpected keyword argument 'zz'",
    "spec:one()": "TypeError: one() missing 1 required positional argument: 'name'",
}


@pytest.fixture(autouse=True)
def modules(request: pytest.FixtureRequest) -> None:
    for name in ("ours", "gunicorn", "either"):
        if name in request.fixturenames:
            line: CommandLine = request.getfixturevalue(name)
            line.write("spec.py", MODULE)
            line.write("package/__init__.py", "")
            line.write("package/spec.py", MODULE)


@pytest.mark.parametrize("spec", GOOD)
def test_specs_that_name_an_application(either: CommandLine, spec: str) -> None:
    done = either("--check-config", spec)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == GOOD[spec]


@pytest.mark.parametrize("spec", BAD)
def test_specs_that_do_not(either: CommandLine, spec: str) -> None:
    done = either("--check-config", spec)
    assert done.returncode == 1
    assert done.stderr.startswith("\nError while loading the application:\n\n")
    assert done.stderr.endswith(f"gunicorn.errors.AppImportError: {BAD[spec]}\n")
    if either.is_ours:
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("spec", "last"),
    [
        ("no_module", "ModuleNotFoundError: No module named 'no_module'"),
        ("spec.py", "ImportError: Failed to find application, did you mean 'spec:application'?"),
        ("spec.py:app", "ImportError: Failed to find application, did you mean 'spec:app'?"),
    ],
)
def test_modules_that_can_not_be_imported(either: CommandLine, spec: str, last: str) -> None:
    done = either("--check-config", spec)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, last)


@pytest.mark.parametrize(
    ("spec", "frame", "last"),
    [
        ("spec:raises()", "in raises\n", "TypeError: from inside"),
        ("spec:raises_deep()", "in raises_deep\n", "TypeError: object of type 'int' has no len()"),
    ],
)
def test_a_factory_that_fails_by_itself_is_shown_with_its_traceback(
    either: CommandLine, spec: str, frame: str, last: str
) -> None:
    done = either("--check-config", spec)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, last)
    assert "Traceback (most recent call last):" in done.stderr
    assert frame in done.stderr
    if either.is_ours:
        assert "rgunicorn" not in done.stderr


def test_an_argument_list_to_unpack_is_no_literal(ours: CommandLine) -> None:
    done = ours("--check-config", "spec:create_app(**{'a': 1})")
    assert done.stderr.endswith(
        "Failed to parse arguments as literal values: \"create_app(**{'a': 1})\"\n"
    )


def test_chdir_leads_to_the_application(either: CommandLine) -> None:
    either.write("deep/down/inner.py", "import os\napplication = print\nprint(os.getcwd())")
    done = either("--check-config", "--chdir", "deep/down", "inner")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(either.directory / "deep" / "down")


# Gunicorn applies neither before it checks, so `--check-config` fails there for an application
# that runs well.


def test_pythonpath_counts_for_a_check(ours: CommandLine) -> None:
    ours.write("lib/one/inner.py", "application = print")
    done = ours("--check-config", "--pythonpath", "lib/none,lib/one", "inner")
    assert (done.returncode, done.stderr) == (0, "")


def test_pythonpath_counts_for_a_worker_class(ours: CommandLine) -> None:
    """As on Gunicorn, which loads it when the server starts."""
    ours.write("lib/inner.py", "from gunicorn.workers.sync import SyncWorker as Mine")
    ours.write("app.py", "application = print")
    done = ours("--check-config", "--pythonpath", "lib", "-k", "inner.Mine", "app")
    assert (done.returncode, done.stderr) == (0, "")


def test_raw_env_counts_for_a_check(ours: CommandLine) -> None:
    ours.write("inner.py", "import os\napplication = print\nprint(os.environ['SECRET'])")
    done = ours("--check-config", "-e", "SECRET=a=b", "inner")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a=b\n", "")
