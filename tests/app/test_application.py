"""`BaseApplication` and `WSGIApplication` as embedding programs use them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rgunicorn import debug
from rgunicorn.app import base
from rgunicorn.app.base import BaseApplication
from rgunicorn.app.wsgiapp import WSGIApplication, run
from rgunicorn.config import Config


def application(environ: Any, start_response: Any) -> list[bytes]:
    return []


class Standalone(BaseApplication):
    """The class of Gunicorn's documentation on embedding."""

    def __init__(self, app: Any, options: dict[str, Any]) -> None:
        self.options = options
        self.application = app
        self.loaded = 0
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name.lower(), value)

    def load(self) -> Any:
        self.loaded += 1
        return self.application


class Arbiter:
    """Stands for the arbiter: remembers its application, fails as told."""

    started: list[Any] = []
    failure: Exception | None = None

    def __init__(self, app: Any) -> None:
        self.started.append(app)

    def run(self) -> None:
        if self.failure is not None:
            raise self.failure


@pytest.fixture(autouse=True)
def arbiter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Arbiter]:
    module = ModuleType("rgunicorn.arbiter")
    module.Arbiter = Arbiter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rgunicorn.arbiter", module)
    monkeypatch.setattr(Arbiter, "started", [])
    monkeypatch.setattr(Arbiter, "failure", None)
    # What loading a configuration changes in a process.
    monkeypatch.setenv("RGUNICORN_ALIAS", "0")
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("application = print")
    return Arbiter


def command(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", "--chdir", os.getcwd(), *args])


def test_embedding() -> None:
    app = Standalone(application, {"Workers": 3, "bind": "127.0.0.1:0"})
    assert (app.cfg.workers, app.cfg.bind) == (3, ["127.0.0.1:0"])
    assert app.callable is None
    assert app.wsgi() is app.wsgi() is app.callable is application
    assert app.loaded == 1
    app.run()
    assert Arbiter.started == [app]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nope": 1}, "\nError: No configuration setting for: nope\n"),
        ({"workers": "x"}, "\nError: invalid literal for int() with base 0: 'x'\n"),
    ],
)
def test_embedding_with_wrong_options(
    options: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        Standalone(application, options)
    assert (caught.value.code, capsys.readouterr().err) == (1, message)


def test_what_is_not_built_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = Standalone(application, {"http_protocols": "h2"})
    with pytest.raises(SystemExit) as caught:
        app.run()
    assert caught.value.code == 1
    assert "http_protocols = ['h2'] needs HTTP/2" in capsys.readouterr().err
    assert Arbiter.started == []


def test_an_error_of_the_arbiter_is_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Arbiter, "failure", RuntimeError("pid file is stale"))
    with pytest.raises(SystemExit) as caught:
        Standalone(application, {}).run()
    assert (caught.value.code, capsys.readouterr().err) == (1, "\nError: pid file is stale\n\n")


def test_methods_that_a_subclass_must_define() -> None:
    bare = object.__new__(BaseApplication)
    for call in (bare.load_config, bare.load, lambda: bare.init(None, None, [])):  # type: ignore
        with pytest.raises(NotImplementedError):
            call()


def test_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "-w", "2", "app")
    run(prog="server")
    (app,) = Arbiter.started
    assert isinstance(app, WSGIApplication)
    assert (app.cfg.workers, app.cfg.prog, app.app_uri) == (2, "server", "app")
    assert app.wsgi() is print
    assert sys.path[0] == os.getcwd()


def test_pythonpath_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    command(monkeypatch, "--pythonpath", "a,,/b", "app")
    run()
    assert sys.path[:3] == ["/b", os.path.join(os.getcwd(), "a"), os.getcwd()]


def test_daemon_goes_into_the_background_before_the_arbiter_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[bool, int]] = []
    monkeypatch.setattr(
        base.util, "daemonize", lambda keep: calls.append((keep, len(Arbiter.started)))
    )
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    command(monkeypatch, "-D", "-R", "app")
    run()
    assert calls == [(True, 0)]
    assert len(Arbiter.started) == 1
    assert capsys.readouterr().err == (
        "Warning: you shouldn't specify `daemon = True`"
        " when launching by systemd with `Type = notify`\n"
    )


def test_spew_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(debug, "spew", lambda: calls.append("spew"))
    command(monkeypatch, "--spew", "app")
    run()
    assert calls == ["spew"]


def test_reload_reads_everything_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conf = tmp_path / "gunicorn.conf.py"
    # The same second and the same length: a bytecode cache would not tell them apart.
    conf.write_text("workers = 2")
    command(monkeypatch, "-c", str(conf), "app")
    app = WSGIApplication()
    assert app.cfg.workers == 2
    conf.write_text("timeout = 7")
    app.reload()
    assert (app.cfg.workers, app.cfg.timeout) == (1, 7)
    assert not (tmp_path / "__pycache__").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = 'x'", "Invalid value for workers: x"),
        ("1 / 0", "ZeroDivisionError"),
        ("dirty_workers = 1", "needs dirty arbiters"),
        ("import sys; sys.exit(5)", ""),
    ],
)
def test_a_reload_that_fails_changes_nothing(
    text: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    conf = tmp_path / "gunicorn.conf.py"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "app.py").write_text("application = print")
    conf.write_text("wsgi_app = 'app'")
    monkeypatch.setattr(sys, "argv", ["prog", "-c", str(conf), "--chdir", str(tmp_path / "below")])
    app = WSGIApplication()
    before = vars(app).copy()

    conf.write_text(f"wsgi_app = 'other'\n{text}")
    with pytest.raises(SystemExit):
        app.reload()
    assert message in capsys.readouterr().err
    assert vars(app) == before
    assert app.app_uri == "app"
    assert os.getcwd() == str(tmp_path / "below")

    conf.write_text("wsgi_app = 'app'\nworkers = 4")
    app.reload()
    assert app.cfg.workers == 4


def test_config_refuses_what_would_bypass_validation() -> None:
    cfg = Config()
    with pytest.raises(AttributeError, match="Invalid access!"):
        cfg.workers = 3
    with pytest.raises(AttributeError, match="No configuration setting for: nope"):
        cfg.set("nope", 1)
    with pytest.raises(AttributeError, match="No configuration setting for: nope"):
        _ = cfg.nope
    cfg.own = 1  # type: ignore[attr-defined]
    assert cfg.own == 1


def configured(**values: Any) -> Config:
    cfg = Config(prog="x")
    for name, value in values.items():
        cfg.set(name, value)
    return cfg


@pytest.mark.parametrize(
    ("setting", "env", "expected"),
    [
        (None, None, True),
        (True, "no", True),
        (False, "yes", False),
        (None, "Yes", True),
        (None, "1", True),
        (None, "no", False),
        (None, "", False),
    ],
)
def test_sendfile(
    setting: bool | None, env: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if env is not None:
        monkeypatch.setitem(os.environ, "SENDFILE", env)
    assert configured(sendfile=setting).sendfile is expected


def test_properties_of_config() -> None:
    cfg = configured(
        bind=["localhost", "unix:/x", "fd://4"],
        user=3,
        group="4",
        raw_env=["A=b=c", "D="],
        raw_paste_global_conf=["a=b", r"c\=d=e\=f"],
        reuse_port=True,
        certfile="c.pem",
        ciphers="X",
    )
    assert cfg.address == [("localhost", 8000), "/x", 4]
    assert (cfg.uid, cfg.gid) == (3, 4)
    assert cfg.env == {"A": "b=c", "D": ""}
    assert cfg.paste_global_conf == {"a": "b", "c=d": "e=f"}
    assert cfg.reuse_port is True
    assert cfg.is_ssl and not configured().is_ssl
    assert cfg.ssl_options == {
        "keyfile": None,
        "certfile": "c.pem",
        "ssl_version": 2,
        "cert_reqs": 0,
        "ca_certs": None,
        "suppress_ragged_eofs": True,
        "do_handshake_on_connect": False,
        "ciphers": "X",
    }
    assert cfg.proc_name == "gunicorn"
    assert configured(default_proc_name="a").proc_name == "a"
    assert configured(default_proc_name="a", proc_name="b").proc_name == "b"
    for name in ("env", "paste_global_conf"):
        broken = configured(raw_env="x", raw_paste_global_conf="x")
        with pytest.raises(RuntimeError, match="environment setting 'x' invalid"):
            getattr(broken, name)


class Installed:
    """A worker or logger class with a hook of its own."""

    calls: list[str] = []

    @classmethod
    def setup(cls) -> None:
        cls.calls.append("setup")

    @classmethod
    def install(cls) -> None:
        cls.calls.append("install")


def test_classes_prepare_themselves_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installed, "calls", [])
    cfg = configured(worker_class=Installed, logger_class=Installed)
    assert cfg.worker_class is cfg.logger_class is Installed
    assert Installed.calls == ["setup", "install"]
    assert cfg.worker_class_str == "Installed"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, "sync"),
        ({"threads": 2}, "gthread"),
        ({"worker_class": "gunicorn.workers.sync.SyncWorker", "threads": 2}, "gthread"),
        ({"worker_class": "pkg.Worker", "threads": 2}, "pkg.Worker"),
        ({"worker_class": "gunicorn.workers.sync.SyncWorker"}, "gunicorn.workers.sync.SyncWorker"),
    ],
)
def test_worker_class_str(values: dict[str, Any], shown: str) -> None:
    assert configured(**values).worker_class_str == shown


def test_the_default_logger_is_ours_by_gunicorns_name(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("rgunicorn.glogging")
    module.Logger = Installed  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rgunicorn.glogging", module)
    assert configured().settings["logger_class"].get() == "gunicorn.glogging.Logger"
    assert configured().logger_class is Installed
    assert configured(logger_class="simple").logger_class is Installed


def test_a_copy_of_a_setting_has_a_value_of_its_own() -> None:
    setting = Config().settings["workers"]
    other = setting.copy()
    other.set(9)
    assert (setting.get(), other.get()) == (1, 9)
    assert "Workers object" in repr(other) and "value 9" in repr(other)
