"""In a process that serves, `gunicorn` is rgunicorn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = "from rgunicorn.app.base import BaseApplication\n"
APP = "class App(BaseApplication):\n    def load_config(self): pass\nApp()\n"


def run(code: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_modules_are_the_same_objects(tmp_path: Path) -> None:
    code = (
        INSTALL
        + APP
        + (
            "import gunicorn, gunicorn.app.wsgiapp, rgunicorn.app.wsgiapp, sys\n"
            "from gunicorn.config import AccessLogFormat as theirs\n"
            "from rgunicorn.config import AccessLogFormat as ours\n"
            "assert gunicorn.app.wsgiapp is rgunicorn.app.wsgiapp\n"
            "assert gunicorn.app.wsgiapp.__spec__.name == 'rgunicorn.app.wsgiapp'\n"
            "assert gunicorn.app.wsgiapp.__name__ == 'rgunicorn.app.wsgiapp'\n"
            "assert not hasattr(gunicorn.app.wsgiapp, '__path__')\n"
            "print(theirs is ours)"
        )
    )
    assert run(code, tmp_path) == "True"


def test_names_are_imported_before_the_application(tmp_path: Path) -> None:
    # Agents such as newrelic look for these two.
    code = (
        INSTALL + APP + "import sys; print({'gunicorn', 'gunicorn.app.base'} <= set(sys.modules))"
    )
    assert run(code, tmp_path) == "True"


def test_a_watching_finder_sees_the_imports_by_name(tmp_path: Path) -> None:
    code = (
        "import sys\nseen = []\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None): seen.append(name)\n"
        "sys.meta_path.insert(0, Watch())\n" + INSTALL + APP + "print('gunicorn.app.base' in seen)"
    )
    assert run(code, tmp_path) == "True"


def test_a_loader_around_ours_sees_the_name_that_was_imported(tmp_path: Path) -> None:
    # How newrelic and wrapt find out which of their hooks a module is for.
    code = (
        "import importlib.util, sys\nseen, busy = [], set()\n"
        "class Around:\n"
        "    def __init__(self, loader):\n"
        "        self.loader, self.create_module = loader, loader.create_module\n"
        "    def exec_module(self, module):\n"
        "        self.loader.exec_module(module)\n"
        "        seen.append(module.__name__)\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in busy or not name.startswith('gunicorn'): return None\n"
        "        busy.add(name)\n"
        "        spec = importlib.util.find_spec(name)\n"
        "        spec.loader = Around(spec.loader)\n"
        "        return spec\n"
        "sys.meta_path.insert(0, Watch())\n"
        + INSTALL
        + APP
        + "import gunicorn.glogging\n"
        + "print(*seen)\n"
        + "print(*(sys.modules[name].__name__ for name in seen))"
    )
    during, after = run(code, tmp_path).splitlines()
    assert during == "gunicorn gunicorn.app gunicorn.app.base gunicorn.glogging"
    assert after == "gunicorn rgunicorn.app rgunicorn.app.base rgunicorn.glogging"


def test_it_wins_over_an_installed_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "__init__.py").write_text("real = True")
    code = INSTALL + APP + "import gunicorn; print(hasattr(gunicorn, 'real'))"
    assert run(code, tmp_path) == "False"


@pytest.mark.parametrize(
    ("code", "env"),
    [
        # Importing the package is not serving.
        (INSTALL, {}),
        (INSTALL + APP, {"RGUNICORN_ALIAS": "0"}),
        # Half of one and half of the other would be worse.
        ("import gunicorn\n" + INSTALL + APP, {}),
    ],
    ids=["import", "switch", "already imported"],
)
def test_when_there_is_no_alias(tmp_path: Path, code: str, env: dict[str, str]) -> None:
    (tmp_path / "gunicorn").mkdir()
    (tmp_path / "gunicorn" / "__init__.py").write_text("real = True")
    assert run(f"{code}import gunicorn; print(gunicorn.real)", tmp_path, **env) == "True"


def test_modules_that_we_do_not_have_are_missing_by_name(tmp_path: Path) -> None:
    code = (
        INSTALL
        + APP
        + ("try:\n    import gunicorn.six\nexcept ModuleNotFoundError as exc:\n    print(exc.name)")
    )
    assert run(code, tmp_path) == "gunicorn.six"


def test_the_version_is_that_of_the_gunicorn_it_stands_for(tmp_path: Path) -> None:
    # Programs look at it to know what they may use.
    code = (
        INSTALL
        + APP
        + (
            "import gunicorn, rgunicorn\n"
            "from gunicorn import version_info\n"
            "assert version_info >= (27, 0, 1) and gunicorn.version_info is version_info\n"
            "print(gunicorn.__version__, rgunicorn.__version__ != gunicorn.__version__)"
        )
    )
    assert run(code, tmp_path) == "27.0.1 True"


def test_the_rest_of_the_package_is_shared_both_ways(tmp_path: Path) -> None:
    code = (
        INSTALL
        + APP
        + (
            "import gunicorn, rgunicorn\n"
            "from unittest import mock\n"
            "gunicorn.SERVER = 'a'\n"
            "assert rgunicorn.SERVER == 'a'\n"
            "rgunicorn.SERVER_SOFTWARE = 'b'\n"
            "assert gunicorn.SERVER_SOFTWARE == 'b'\n"
            "with mock.patch('gunicorn.SERVER', 'c'):\n"
            "    assert rgunicorn.SERVER == 'c'\n"
            "gunicorn.mine = 1\n"
            "del rgunicorn.mine\n"
            "assert not hasattr(gunicorn, 'mine')\n"
            "gunicorn.__version__ = 'x'\n"
            "assert rgunicorn.__version__ != 'x'\n"
            "assert {'SERVER', 'app', 'version_info'} <= set(dir(gunicorn))\n"
            "print(gunicorn.SERVER)"
        )
    )
    assert run(code, tmp_path) == "a"


def test_tools_that_look_at_modules(tmp_path: Path) -> None:
    code = (
        INSTALL
        + APP
        + (
            "import gunicorn, rgunicorn, importlib, importlib.util, inspect, pickle, pkgutil, sys\n"
            "spec = importlib.util.find_spec('gunicorn.workers.sync')\n"
            "assert 'gunicorn.workers.sync' not in sys.modules\n"
            "import gunicorn.workers.sync as sync\n"
            "assert spec.name == 'gunicorn.workers.sync' and spec.origin == sync.__file__\n"
            "assert importlib.util.find_spec('gunicorn.workers').submodule_search_locations\n"
            "assert importlib.util.find_spec('gunicorn.no_such') is None\n"
            "gunicorn.SERVER = 'kept'\n"
            "assert importlib.reload(gunicorn) is gunicorn and gunicorn.SERVER == 'kept'\n"
            "assert importlib.reload(sync) is sync is sys.modules['gunicorn.workers.sync']\n"
            "assert pickle.loads(pickle.dumps(gunicorn.errors.HaltServer)) is "
            "rgunicorn.errors.HaltServer\n"
            "names = {m.name for m in pkgutil.iter_modules(gunicorn.__path__, 'gunicorn.')}\n"
            "assert {'gunicorn.arbiter', 'gunicorn.workers'} <= names\n"
            "assert pkgutil.resolve_name('gunicorn.errors:ConfigError') is "
            "rgunicorn.errors.ConfigError\n"
            "assert 'class SyncWorker' in inspect.getsource(gunicorn.workers.sync.SyncWorker)\n"
            "assert 'GUNICORN_VERSION' in inspect.getsource(gunicorn)\n"
            "assert inspect.getmodule(gunicorn.util.warn) is gunicorn.util\n"
            "assert gunicorn.__spec__.loader.get_code('gunicorn') is not None\n"
            "print(gunicorn.__name__, repr(gunicorn).split()[1])"
        )
    )
    assert run(code, tmp_path) == "gunicorn 'gunicorn'"
