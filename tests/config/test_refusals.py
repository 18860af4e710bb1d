"""A value that needs what is not built, or a worker class that can not be used, is refused at boot;
every other value is let through."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

import rgunicorn.workers
from config.command_line import CommandLine
from rgunicorn import __version__
from rgunicorn.config import KNOWN_SETTINGS, Config, refuse_unbuilt
from rgunicorn.errors import ConfigError
from rgunicorn.workers.base import Worker as RealWorker
from rgunicorn.workers.base_async import AsyncWorker
from rgunicorn.workers.gthread import ThreadWorker
from rgunicorn.workers.sync import SyncWorker


class Worker:
    """Stands for rgunicorn.workers.base.Worker, so that no server needs to be built."""

    @classmethod
    def refusals(cls, cfg: Config) -> list[str]:
        return []


class Subclass(Worker):
    pass


class Stranger:
    pass


@pytest.fixture(autouse=True)
def worker_base(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("rgunicorn.workers.base")
    module.Worker = Worker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rgunicorn.workers.base", module)


def configured(**values: Any) -> Config:
    cfg = Config()
    for name, value in values.items():
        cfg.set(name, value)
    return cfg


def readable(value: Any) -> str:
    """The id of a parameter: the same in every process."""
    return getattr(value, "__name__", None) or str(value)


def hook1(server: Any) -> None: ...
def hook2(server: Any, worker: Any) -> None: ...


USED: list[tuple[str, Any, str]] = [
    ("http_protocols", "h2,h1", "HTTP/2"),
    ("http2_cleartext", "both", "HTTP/2"),
    ("http2_max_concurrent_streams", 1, "HTTP/2"),
    ("http2_initial_window_size", 1, "HTTP/2"),
    ("http2_max_frame_size", 20000, "HTTP/2"),
    ("http2_max_header_list_size", 0, "HTTP/2"),
    ("dirty_apps", ["m:C"], "dirty arbiters"),
    ("dirty_workers", 1, "dirty arbiters"),
    ("dirty_timeout", 1, "dirty arbiters"),
    ("dirty_threads", 2, "dirty arbiters"),
    ("dirty_graceful_timeout", 1, "dirty arbiters"),
    ("on_dirty_starting", hook1, "dirty arbiters"),
    ("dirty_post_fork", hook2, "dirty arbiters"),
    ("dirty_worker_init", hook1, "dirty arbiters"),
    ("dirty_worker_exit", hook2, "dirty arbiters"),
    ("control_socket", "/tmp/x.ctl", "the control socket"),
    ("control_socket_mode", 0o660, "the control socket"),
]


# What turns a feature on that other settings only tune.
SWITCHES: dict[str, dict[str, Any]] = {
    "HTTP/2": {"http_protocols": "h2,h1"},
    "dirty arbiters": {"dirty_workers": 1},
}


@pytest.mark.parametrize(("name", "value", "feature"), USED, ids=readable)
def test_what_is_not_built_is_refused(name: str, value: Any, feature: str) -> None:
    cfg = configured(**SWITCHES.get(feature, {}) | {name: value})
    with pytest.raises(ConfigError) as caught:
        refuse_unbuilt(cfg)
    (text,) = (line for line in str(caught.value).splitlines() if line.startswith(f"{name} = "))
    assert f" needs {feature}" in text
    shown = cfg.settings[name].get()
    assert getattr(shown, "__qualname__", repr(shown)) in text
    # What to use instead, as a sentence.
    assert len(text.partition(" does not have yet: ")[2]) > 20
    assert text.endswith(".")


def test_every_unbuilt_setting_is_in_the_table() -> None:
    assert {s.name for s in KNOWN_SETTINGS if s.unbuilt} == {n for n, _, _ in USED}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *(
            (name, f"{name!r} can not be used, as Gunicorn has removed this worker: use ")
            for name in (
                "eventlet",
                "egg:gunicorn#eventlet",
                "gunicorn.workers.geventlet.EventletWorker",
            )
        ),
        (Stranger, "Stranger is no subclass of gunicorn.workers.base.Worker: derive "),
    ],
)
def test_a_worker_class_that_can_not_be_used(value: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_unbuilt(configured(worker_class=value))
    assert str(caught.value).startswith(f"worker_class = {words}")
    assert str(caught.value).endswith(".")


def test_what_a_worker_class_can_not_do_is_refused() -> None:
    class Picky(Worker):
        @classmethod
        def refusals(cls, cfg: Config) -> list[str]:
            return [f"{cls.__name__} takes no protocol {cfg.protocol}."]

    with pytest.raises(ConfigError, match=r"^Picky takes no protocol uwsgi\.$"):
        refuse_unbuilt(configured(worker_class=Picky, protocol="uwsgi"))


def test_who_speaks_uwsgi() -> None:
    """Who reads requests by the core or by our parser. A loop of one's own has to say so."""

    class OwnLoop(RealWorker):
        pass

    class OwnLoopWithOurParser(RealWorker):
        @classmethod
        def speaks_uwsgi(cls) -> bool:
            return True

    class Mine(ThreadWorker):
        pass

    cfg = configured(protocol="uwsgi")
    for fine in (SyncWorker, ThreadWorker, Mine, AsyncWorker, OwnLoopWithOurParser):
        assert fine.refusals(cfg) == [], fine
    (text,) = OwnLoop.refusals(cfg)
    assert text.startswith("protocol = 'uwsgi' can not be used with OwnLoop, whose server ")
    # Every word but uwsgi means HTTP to Gunicorn.
    assert OwnLoop.refusals(configured(protocol="uwsgi2")) == []


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"worker_class": "sync", "workers": 9, "worker_connections": 5, "keepalive": 60},
        {"worker_class": "gunicorn.workers.sync.SyncWorker"},
        {"worker_class": "rgunicorn.workers.sync.SyncWorker"},
        {"worker_class": "gthread", "threads": 4},
        {"worker_class": "gunicorn.workers.gthread.ThreadWorker"},
        {"threads": 4},
        {"worker_class": Subclass},
        # A worker of somebody else has its own use for threads, as under Gunicorn.
        {"worker_class": Subclass, "threads": 4},
        {"threads": 0},
        {"http_parser": "fast", "http_protocols": "h1", "http2_cleartext": False},
        {"protocol": "uwsgi", "uwsgi_allow_ips": "10.0.0.0/8"},
        {"protocol": "uwsgi", "worker_class": "gthread"},
        {"protocol": "uwsgi", "threads": 4},
        # Every word but uwsgi means HTTP to Gunicorn.
        {"protocol": "https"},
        {"control_socket": "/tmp/x.ctl", "control_socket_mode": 0, "control_socket_disable": True},
        {"ssl_version": 2, "syslog": True, "reload": True, "spew": True, "daemon": True},
        {"proxy_protocol": "v2", "reuse_port": True, "user": 1, "tmp_upload_dir": "/tmp"},
        {"sync_keepalive": True},
        # Other workers take no notice of them, in Gunicorn either.
        {"asgi_loop": "uvloop", "asgi_lifespan": "off", "root_path": "/x"},
        {"statsd_host": "localhost", "dogstatsd_tags": "a:b", "enable_backlog_metric": True},
        {"paste": "app.ini", "raw_paste_global_conf": ["a=b"]},
        {"certfile": "c.pem", "keyfile": "k.pem", "cert_reqs": 2, "ca_certs": "ca.pem"},
        {"certfile": "c.pem", "ciphers": "ECDHE", "suppress_ragged_eofs": False},
    ],
    ids=str,
)
def test_what_is_built_is_let_through(values: dict[str, Any]) -> None:
    refuse_unbuilt(configured(**values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (known.name, value)
        for known in KNOWN_SETTINGS
        if known.unbuilt and known.unbuilt.switches
        for name, value, _ in USED
        if name == known.name
    ],
    ids=readable,
)
def test_what_only_tunes_an_unused_feature_is_let_through(name: str, value: Any) -> None:
    refuse_unbuilt(configured(**{name: value}))


def test_all_refusals_come_at_once_and_in_order() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_unbuilt(configured(dirty_workers=1, http_protocols="h2,h1", worker_class="eventlet"))
    lines = str(caught.value).splitlines()
    names = [line.split(" ")[0] for line in lines]
    assert names == ["worker_class", "http_protocols", "dirty_workers"]


def test_an_alias_that_a_program_has_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rgunicorn.workers.SUPPORTED_WORKERS, "gevent", f"{__name__}.Subclass")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Subclass.__module__])
    refuse_unbuilt(configured(worker_class="gevent"))


def test_a_worker_class_that_is_not_there(ours: CommandLine) -> None:
    done = ours("--check-config", "-k", "no_module.Worker", "app")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "\nError: class uri 'no_module.Worker' invalid or not found: \n\n["
        "ModuleNotFoundError: No module named 'no_module'"
    )


@pytest.mark.parametrize(
    ("worker", "package"),
    [("tornado", "tornado"), ("gunicorn.workers.gtornado.TornadoWorker", "tornado")]
    + [("asgi", "uvicorn"), ("mine.Mine", "uvicorn")]
    + [("gevent", "gevent"), ("gevent_pywsgi", "gevent")],
)
def test_a_worker_whose_package_is_missing(ours: CommandLine, worker: str, package: str) -> None:
    ours.write(f"{package}.py", "raise ImportError('not on this machine')")
    ours.write(
        "mine.py", "from gunicorn.workers.gasgi import ASGIWorker\nclass Mine(ASGIWorker): ...\n"
    )
    done = ours("--check-config", "-k", worker, "app")
    assert done.returncode == 1
    alias = {"uvicorn": "asgi"}.get(package, package)
    assert done.stderr.startswith(f"\nError: worker_class {alias!r} needs the package {package}"), (
        done.stderr
    )
    assert "(not on this machine)" in done.stderr
    cure = {"uvicorn": "'uvicorn[standard]'"}.get(package, package)
    assert f"`pip install {cure}`, in the same environment." in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("worker", "meant"),
    [
        ("gthreads", "gthread"),
        ("tornadoo", "tornado"),
        ("gunicorn.workers.gthread.ThreadedWorker", "gunicorn.workers.gthread.ThreadWorker"),
    ],
)
def test_a_name_that_is_almost_right(ours: CommandLine, worker: str, meant: str) -> None:
    done = ours("--check-config", "-k", worker, "app")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(f"Did you mean {meant!r}?"), done.stderr


@pytest.mark.parametrize(
    ("args", "last"),
    [
        (
            ["-k", "meinheld"],
            "worker_class = 'meinheld': Use sync, gthread, gevent, gevent_wsgi, gevent_pywsgi, "
            "tornado, asgi or the dotted name of a class.",
        ),
        (
            ["-k", "egg:gunicorn#gevent"],
            "worker_class = 'egg:gunicorn#gevent': Did you mean 'gevent'?",
        ),
        (
            ["-k", "egg:no-such-package#worker"],
            "worker_class = 'egg:no-such-package#worker': Install the package that has this entry "
            "point, or use the dotted name of a class.",
        ),
        (
            ["-k", "uvicorn_worker.UvicornWorker"],
            "worker_class = 'uvicorn_worker.UvicornWorker': Install it with "
            "`pip install uvicorn-worker`, in the same environment.",
        ),
        (
            ["-k", "no_module.sub.Worker"],
            "worker_class = 'no_module.sub.Worker': Correct the name, install the package that "
            "has 'no_module' in the same environment, or add its directory to pythonpath.",
        ),
        (
            ["-k", "gunicorn.workers.gaiohttp.AiohttpWorker"],
            "worker_class = 'gunicorn.workers.gaiohttp.AiohttpWorker': Gunicorn has removed it; "
            "use 'aiohttp.GunicornWebWorker'.",
        ),
        (
            ["-k", "app.Absent"],
            "worker_class = 'app.Absent': 'app' has no class of that name. Correct it.",
        ),
        (
            ["-k", "broken.Worker"],
            "worker_class = 'broken.Worker': Its module can not be imported: mend what is named "
            "above.",
        ),
        (
            ["--logger-class", "loguru"],
            "logger_class = 'loguru': Use the dotted name of a class.",
        ),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_name_that_leads_nowhere(ours: CommandLine, args: list[str], last: str) -> None:
    """Every such message ends with the setting, its value and what to do."""
    ours.write("broken.py", "import something_else_that_is_not_there")
    done = ours("--check-config", *args, "app")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"\nError: class uri {args[1]!r} invalid or not found: \n\n[")
    assert done.stderr.rstrip().splitlines()[-1] == last
    # Only where the user's own module fails.
    assert ("Traceback" in done.stderr) == (args[1] == "broken.Worker")


def test_refused_on_the_command_line_and_when_checked(ours: CommandLine) -> None:
    ours.write("gunicorn.conf.py", "http_protocols = 'h2'")
    for args in ([], ["--check-config"], ["--print-config"]):
        done = ours(*args, "-k", "eventlet", "app")
        assert done.returncode == 1
        assert done.stderr.replace(f"rgunicorn {__version__}", "rgunicorn VERSION") == (
            "\nError: worker_class = 'eventlet' can not be used, as Gunicorn has removed this "
            "worker: use worker_class = 'gevent', or 'gthread' with threads (--threads).\n"
            "http_protocols = ['h2'] needs HTTP/2, which rgunicorn VERSION does not have yet: let "
            "a proxy such as nginx or Caddy speak HTTP/2 and pass on HTTP/1.1.\n"
        )
        # A printed configuration shows what is being refused.
        assert ("worker_class " in done.stdout) == (args == ["--print-config"])
