"""When Rust may write the access line: only if nobody can tell the difference."""

from __future__ import annotations

import functools
import io
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rgunicorn import glogging
from rgunicorn.glogging import Logger

MakePlain = Callable[[], Logger]


@pytest.fixture
def plain(make_logger: Any, tmp_path: Path) -> MakePlain:
    """Makes a Logger whose lines Rust may write.

    To be called in the test itself: pytest puts its own handlers on a logger made before.
    """

    def make() -> Logger:
        log = make_logger(accesslog=str(tmp_path / "access.log"))
        assert log.native_access_fd() is not None
        return log

    return make


def handler_of(log: Logger) -> Any:
    return log.access_log.handlers[0]


def test_file(plain: MakePlain, tmp_path: Path) -> None:
    log = plain()
    fd = log.native_access_fd()
    assert fd is not None
    os.write(fd, b"from rust\n")
    assert (tmp_path / "access.log").read_text() == "from rust\n"
    assert log.native_access_flush() is None


def test_fd_stays_the_same_over_a_reopen(plain: MakePlain, tmp_path: Path) -> None:
    log = plain()
    fd = log.native_access_fd()
    assert fd is not None
    os.rename(tmp_path / "access.log", tmp_path / "access.log.1")
    log.reopen_files()
    assert log.native_access_fd() == fd
    os.write(fd, b"new\n")
    assert (tmp_path / "access.log").read_text() == "new\n"
    assert (tmp_path / "access.log.1").read_text() == ""


def test_standard_output_is_flushed_before(
    make_logger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open(tmp_path / "out", "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        log = make_logger(accesslog="-")
        assert log.native_access_fd() == stdout.fileno()
        print("from the app")
        assert (tmp_path / "out").read_text() == ""
        log.native_access_flush()()
        assert (tmp_path / "out").read_text() == "from the app\n"


@pytest.mark.parametrize("name", ["access", "atoms", "now", "_get_user", "access_log_enabled"])
def test_a_subclass_that_overrides(make_logger: Any, tmp_path: Path, name: str) -> None:
    def own(self: Logger, *args: Any) -> Any:
        return getattr(super(subclass, self), name)(*args)

    value = property(lambda self: True) if name == "access_log_enabled" else own
    subclass = type("Own", (Logger,), {name: value})
    log = make_logger(subclass, accesslog=str(tmp_path / "a"))
    assert log.native_access_fd() is None


def test_a_subclass_that_overrides_something_else(make_logger: Any, tmp_path: Path) -> None:
    class Own(Logger):
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            self.error_log.addHandler(logging.NullHandler())

        def critical(self, msg: object, *args: object, **kwargs: Any) -> None:
            raise NotImplementedError

    assert make_logger(Own, accesslog=str(tmp_path / "a")).native_access_fd() is not None


@pytest.mark.parametrize("name", ["access", "atoms", "now"])
def test_a_method_replaced_on_the_class(
    plain: MakePlain, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    log = plain()
    original = getattr(Logger, name)
    monkeypatch.setattr(Logger, name, functools.wraps(original)(lambda *args: original(*args)))
    assert log.native_access_fd() is None


@pytest.mark.parametrize("name", ["callHandlers", "makeRecord", "handle", "info"])
def test_instrumented_logging(plain: MakePlain, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    log = plain()
    original = getattr(logging.Logger, name)
    wrapper = functools.wraps(original)(lambda *args, **kwargs: original(*args, **kwargs))
    monkeypatch.setattr(logging.Logger, name, wrapper)
    assert log.native_access_fd() is None


def test_a_record_factory(plain: MakePlain) -> None:
    log = plain()
    original = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *args, **kwargs: original(*args, **kwargs))
    try:
        assert log.native_access_fd() is None
    finally:
        logging.setLogRecordFactory(original)


def own_method(target: Any, name: str) -> None:
    setattr(target, name, lambda *args: None)


CHANGES: dict[str, Callable[[Logger], Any]] = {
    "method on the object": lambda log: own_method(log, "now"),
    "atoms wrapper": lambda log: setattr(
        log, "atoms_wrapper_class", type("Own", (glogging.SafeAtoms,), {})
    ),
    "access logging off": lambda log: setattr(log, "_access_log_enabled", False),
    "filter on the logger": lambda log: log.access_log.addFilter(lambda record: True),
    "filter on the handler": lambda log: handler_of(log).addFilter(lambda record: True),
    "second handler": lambda log: log.access_log.addHandler(logging.NullHandler()),
    "no handler": lambda log: log.access_log.removeHandler(handler_of(log)),
    "somebody else's handler": lambda log: delattr(handler_of(log), "_gunicorn"),
    "propagation": lambda log: setattr(log.access_log, "propagate", True),
    "logger level": lambda log: log.access_log.setLevel(logging.WARNING),
    "logger off": lambda log: setattr(log.access_log, "disabled", True),
    "handler level": lambda log: handler_of(log).setLevel(logging.WARNING),
    "logging.disable": lambda log: logging.disable(logging.INFO),
    "formatter": lambda log: handler_of(log).setFormatter(logging.Formatter("x %(message)s")),
    "formatter class": lambda log: handler_of(log).setFormatter(
        type("Own", (logging.Formatter,), {"format": lambda self, record: ""})("%(message)s")
    ),
    "no formatter": lambda log: handler_of(log).setFormatter(None),
    "emit on the handler": lambda log: own_method(handler_of(log), "emit"),
    "terminator": lambda log: setattr(handler_of(log), "terminator", "\0"),
    "closed file": lambda log: handler_of(log).close(),
    "memory": lambda log: handler_of(log).setStream(io.StringIO()),
    "memory, in bytes": lambda log: handler_of(log).setStream(io.TextIOWrapper(io.BytesIO())),
    "latin-1": lambda log: handler_of(log).stream.reconfigure(encoding="latin-1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_that_shows(plain: MakePlain, change: Callable[[Logger], Any]) -> None:
    log = plain()
    change(log)
    assert log.native_access_fd() is None
    assert log.native_access_flush() is None


def test_a_stream_somebody_closed(plain: MakePlain) -> None:
    log = plain()
    handler_of(log).stream.close()
    assert log.native_access_fd() is None
    handler_of(log).stream = None  # closed for good: nothing to flush at the end


def test_handler_of_another_class(plain: MakePlain) -> None:
    log = plain()

    class Own(logging.FileHandler):
        pass

    handler = Own(handler_of(log).baseFilename)
    handler.setFormatter(handler_of(log).formatter)
    handler._gunicorn = True  # type: ignore[attr-defined]
    log.access_log.handlers[:] = [handler]
    assert log.native_access_fd() is None


def test_syslog_beside_the_file(make_logger: Any, tmp_path: Path) -> None:
    log = make_logger(accesslog=str(tmp_path / "a"), syslog=True, syslog_addr="udp://127.0.0.1:9")
    assert log.native_access_fd() is None


def test_dict_config_for_the_access_logger(make_logger: Any, tmp_path: Path) -> None:
    console = {"handlers": ["console"], "propagate": False}
    chosen = {"loggers": {"gunicorn.access": console}}
    assert make_logger(accesslog="-", logconfig_dict=chosen).native_access_fd() is None


def test_dict_config_for_the_app_only(make_logger: Any, tmp_path: Path) -> None:
    chosen = {"loggers": {"shop": {"level": "INFO"}}}
    log = make_logger(accesslog=str(tmp_path / "a"), logconfig_dict=chosen)
    assert log.native_access_fd() is not None
