"""Every name of Gunicorn's that programs are known to import exists under its name.

`public_api.json` lists them by module: what custom workers, configuration files, embedders and
agents import. A name that starts to exist must leave the lists below.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import rgunicorn
from harness.server import Command

API: dict[str, list[str]] = json.loads((Path(__file__).parent / "public_api.json").read_text())

# Modules that are not there, and why.
ABSENT = {
    **dict.fromkeys(("gunicorn.dirty", "gunicorn.dirty.errors"), "dirty arbiters are refused"),
    "gunicorn.dirty.stash": "dirty arbiters are refused",
    **dict.fromkeys(("gunicorn.ctl", "gunicorn.ctl.cli"), "the control socket is refused"),
    "gunicorn.http2": "HTTP/2 is refused",
    "gunicorn.asgi": "the asgi worker is uvicorn's; nobody imports Gunicorn's own engine",
}

# Modules of worker classes whose packages are optional: what stands for them here.
NEEDS = {
    "gunicorn.workers.gtornado": "needs the package tornado",
    "gunicorn.workers.gasgi": "needs the package uvicorn",
    "gunicorn.workers.ggevent": "needs the package gevent",
}

# Names that a module lacks, and why.
MISSING: dict[str, list[str]] = {}

WALK = """
import importlib, json, sys
from rgunicorn.app.base import BaseApplication

class App(BaseApplication):
    def load_config(self): pass

App()
found = {}
for name, names in json.load(sys.stdin).items():
    try:
        module = importlib.import_module(name)
        twin = importlib.import_module("r" + name)
    except (ImportError, RuntimeError) as exc:
        # What programs catch that try whether a module is there.
        found[name] = str(exc)
        continue
    missing = [n for n in names if not hasattr(module, n)]
    # The same objects, not equal ones.
    other = [n for n in names if n not in missing and getattr(module, n) is not getattr(twin, n)]
    found[name] = [missing, other]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    """By module: why it can not be imported, or what it lacks and what is not `rgunicorn`'s."""
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        input=json.dumps(API),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("module", sorted(set(API) - set(ABSENT)))
def test_its_names_are_there_and_are_ours(found: dict[str, object], module: str) -> None:
    answer = found[module]
    if isinstance(answer, str) and module in NEEDS:
        assert NEEDS[module] in answer
        return
    assert not isinstance(answer, str), answer
    missing, not_ours = answer  # type: ignore[misc]
    assert missing == MISSING.get(module, []), "a name is missing, or exists: see MISSING"
    # What programs test for features: Gunicorn's, not ours.
    assert not_ours == (["__version__", "version_info"] if module == "gunicorn" else [])


@pytest.mark.parametrize("module", sorted(ABSENT))
def test_what_is_said_to_be_absent_is(found: dict[str, object], module: str) -> None:
    answer = found[module]
    assert isinstance(answer, str), f"{module} exists: take it out of ABSENT"
    assert answer.startswith("No module named 'gunicorn.")


LIST = """
import importlib.util, pathlib
root = pathlib.Path(importlib.util.find_spec("gunicorn").origin).parent
print(*(path.relative_to(root).as_posix() for path in root.rglob("*.py")), sep="\\n")
"""


def test_a_module_whose_package_is_missing_fails_as_programs_expect(tmp_path: Path) -> None:
    """RuntimeError, as Gunicorn's modules do; and ImportError, by which programs try what is
    there (Gunicorn's `gasgi` needs no package)."""
    for name in ("gevent", "tornado", "uvicorn"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not on this machine')")
    code = (
        "from rgunicorn.app.base import BaseApplication\n"
        "class App(BaseApplication):\n    def load_config(self): pass\n"
        "App()\nimport importlib\n"
        "for name in 'ggevent', 'gtornado', 'gasgi':\n"
        "    for kind in RuntimeError, ImportError:\n"
        "        try:\n            importlib.import_module('gunicorn.workers.' + name)\n"
        "        except kind as exc:\n            print(name, 'pip install' in str(exc))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [
        word for name in ("ggevent", "gtornado", "gasgi") for word in (name, "True") * 2
    ], done.stderr


def test_no_other_module_of_gunicorns_is_missing(gunicorn: Command) -> None:
    """What docs/compatibility.md says of those that are."""
    listed = subprocess.run(
        [gunicorn.argv[0], "-c", LIST], capture_output=True, text=True, timeout=60, check=True
    )
    theirs = set(listed.stdout.split())
    root = Path(rgunicorn.__file__).parent
    missing = {path.partition("/")[0] for path in theirs if not (root / path).exists()}
    assert missing == {"asgi", "ctl", "dirty", "http2"}


def test_the_lists_name_what_is_known() -> None:
    assert set(ABSENT) | set(MISSING) | set(NEEDS) <= set(API)
