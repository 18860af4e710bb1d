"""The reloader over real files, in a process of its own that prints what has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rgunicorn import reloader
from rgunicorn.reloader import InotifyReloader, Reloader, ReloaderBase, reloader_engines

WATCH = """
import sys
sys.path.insert(0, sys.argv[2])
import shop, shop.models
from rgunicorn.reloader import reloader_engines

engine = reloader_engines[sys.argv[1]](
    extra_files=sys.argv[3:], callback=lambda path: print(path, flush=True)
)
engine._interval = float({interval})
assert engine.daemon
engine.start()
# What has been seen once can change: after the first look, say so. The thread adds to the dict
# meanwhile: list() takes it as a whole also without the GIL, tuple() does not.
while not any(path.endswith("models.py") for path in list(engine._seen)):
    pass
print("watching", flush=True)
for line in sys.stdin:
    engine.add_extra_file(line.rstrip())
    print("added", flush=True)
"""


class Watcher:
    """A process that watches `shop` and some extra files."""

    def __init__(self, engine: str, directory: Path, extra: list[str], interval: float) -> None:
        code = WATCH.replace("{interval}", repr(interval))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, engine, str(directory), *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.line() == "watching"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def add(self, path: Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        assert self.line() == "added"


Watch = Callable[..., Watcher]


@pytest.fixture(params=["poll", "inotify", "auto"])
def watch(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watch]:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "models.py").write_text("a = 1\n")
    started: list[Watcher] = []

    def start(*extra: str, interval: float = 0.05) -> Watcher:
        started.append(Watcher(request.param, tmp_path, list(extra), interval))
        return started[-1]

    yield start
    for watcher in started:
        watcher.process.kill()
        watcher.process.communicate(timeout=30)


def test_a_module_written_in_place(watch: Watch, tmp_path: Path) -> None:
    watcher, path = watch(), tmp_path / "shop" / "models.py"
    path.write_text("a = 22\n")
    assert watcher.line() == str(path)


def test_a_module_replaced_by_an_older_file(watch: Watch, tmp_path: Path) -> None:
    watcher, path = watch(), tmp_path / "shop" / "models.py"
    new = tmp_path / "shop" / ".models.py.swp"
    new.write_text("a = 2\n")
    os.utime(new, (1, 1))
    os.replace(new, path)
    assert watcher.line() == str(path)


def test_a_module_removed_and_written_again(watch: Watch, tmp_path: Path) -> None:
    watcher, path = watch(), tmp_path / "shop" / "models.py"
    path.unlink()
    path.write_text("a = 333\n")
    assert watcher.line() == str(path)


def test_files_nobody_watches_do_not_count(watch: Watch, tmp_path: Path) -> None:
    watcher, path = watch(), tmp_path / "shop" / "__init__.py"
    (tmp_path / "shop" / "other.py").write_text("")
    (tmp_path / "shop" / "other.py").write_text("changed")
    path.write_text("b = 1\n")
    assert watcher.line() == str(path)


def test_extra_files_patterns_and_late_ones(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page, settings, late = (tmp_path / name for name in ("pages/a.html", "conf.toml", "late.py"))
    for path in (page, settings, late):
        path.write_text("")
    watcher = watch(str(settings), str(tmp_path / "pages" / "**" / "*.html"))
    settings.write_text("x = 1")
    assert watcher.line() == str(settings)
    page.write_text("<p>")
    assert watcher.line() == str(page)
    watcher.add(late)
    late.write_text("fixed")
    assert watcher.line() == str(late)


def test_a_change_behind_a_link(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "conf", tmp_path / "conf"
    target.write_text("1")
    link.symlink_to(target)
    watcher = watch(str(link))
    target.write_text("22")
    assert watcher.line() == str(link)


@pytest.mark.parametrize("watch", ["inotify"], indirect=True)
def test_inotify_does_not_wait_for_the_interval(watch: Watch, tmp_path: Path) -> None:
    watcher, path = watch(interval=3600), tmp_path / "shop" / "models.py"
    path.write_text("a = 22\n")
    assert watcher.line() == str(path)


def test_engines() -> None:
    assert set(reloader_engines) == {"auto", "poll", "inotify"}
    assert reloader_engines["poll"] is Reloader
    assert reloader_engines["inotify"] is InotifyReloader
    engine = reloader_engines["auto"](extra_files=["x"], callback=print)
    assert isinstance(engine, InotifyReloader)


def test_auto_polls_where_there_is_no_inotify(monkeypatch: pytest.MonkeyPatch) -> None:
    class Libc:
        """A C library without inotify, as on macOS."""

    monkeypatch.setattr(reloader.ctypes, "CDLL", lambda *args, **kwargs: Libc())
    with pytest.raises(OSError, match="no inotify"):
        InotifyReloader()
    assert type(reloader_engines["auto"]()) is Reloader


def test_files_of_odd_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Lazy:
        def __getattribute__(self, name: str) -> Any:
            raise ImportError("not to be asked")

    compiled = type(sys)("compiled")
    compiled.__file__ = str(tmp_path / "compiled.pyc")
    namespace = type(sys)("namespace")
    namespace.__file__ = None
    for name, module in (("a", Lazy()), ("b", 7), ("c", compiled), ("d", namespace), ("e", None)):
        monkeypatch.setitem(sys.modules, f"odd_{name}", module)  # type: ignore[arg-type]
    files = ReloaderBase(extra_files=["extra"]).get_files()
    assert str(tmp_path / "compiled.py") in files
    assert "extra" in files
    assert reloader.__file__ in files
