"""`py.typed`: what type checkers are told about the package is so, and is enough for its users."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import rgunicorn
from harness.server import TESTS, Command, Spawn
from harness.wire import ask, get

ROOT = TESTS.parent
USERS = TESTS / "packaging/users"
ALLOWED = TESTS / "packaging/stubtest-allowlist.txt"

Mypy = Callable[..., str]
"""`mypy(directory, *arguments)`: what it says."""


def test_type_checkers_may_look() -> None:
    assert (Path(str(rgunicorn.__file__)).parent / "py.typed").exists()


@pytest.mark.timeout(400)
def test_what_stubs_say_is_what_is_there(tmp_path: Path) -> None:
    """stubtest imports each module and compares it with what mypy reads."""
    words = [sys.executable, "-m", "mypy.stubtest", "rgunicorn", "--concise"]
    settings = ["--mypy-config-file", str(ROOT / "pyproject.toml"), "--allowlist", str(ALLOWED)]
    done = subprocess.run(
        [*words, *settings], cwd=tmp_path, capture_output=True, text=True, timeout=380
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_may_differ_says_why() -> None:
    reason = False
    for line in ALLOWED.read_text().splitlines():
        assert reason or line.startswith("#") or not line, f"no reason above {line}"
        reason = bool(line)


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> Mypy:
    """`mypy --strict` as it comes, without our configuration."""
    cache = str(tmp_path_factory.mktemp("mypy"))

    def run(cwd: Path, *words: str) -> str:
        call = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", cache]
        done = subprocess.run([*call, *words], cwd=cwd, capture_output=True, text=True, timeout=115)
        return done.stdout + done.stderr

    return run


def test_users_of_the_package(mypy: Mypy) -> None:
    """A config file, an embedder and worker classes."""
    files = sorted(path.name for path in USERS.glob("*.py"))
    assert mypy(USERS, *files) == f"Success: no issues found in {len(files)} source files\n"


def test_a_wrong_type_is_noticed(mypy: Mypy, tmp_path: Path) -> None:
    """Else the files above would be fine because everything is Any."""
    text = (USERS / "gunicorn.conf.py").read_text()
    (tmp_path / "wrong.py").write_text(text.replace("req.path", "req.pfad"))
    assert '"Request" has no attribute "pfad"' in mypy(tmp_path, "wrong.py")


@pytest.mark.parametrize("project", ["bottle", "django", "flask"])
def test_examples(mypy: Mypy, project: str) -> None:
    """As strict as Bottle and Django, who have no types, let anybody be."""
    lax = "--ignore-missing-imports --allow-subclassing-any --allow-untyped-decorators"
    # Migrations are what Django writes.
    told = mypy(ROOT / "examples" / project, *lax.split(), "--exclude", "migrations", ".")
    assert told.startswith("Success: "), told


@pytest.mark.ours("worker classes of our modules")
def test_their_files_work(spawn: Spawn, command: Command) -> None:
    """What is typed so also runs so: every hook uses what its arguments are said to have."""
    server = spawn(None, cwd=USERS)
    assert ask(server.address, get("/there")).body == b"/there\n"
    log = server.assert_clean_exit()
    assert "Traceback" not in log
    said = "on_starting when_ready pre_fork post_fork post_worker_init pre_request post_request"
    for hook in [*said.split(), "worker_exit", "child_exit", "on_exit", "hello, request 1"]:
        assert f"] {hook}" in log, hook
