"""Option by option: what a line of uWSGI becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rgunicorn.config import KNOWN_SETTINGS
from rgunicorn.uwsgi_import import ini
from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.reading import Reading
from rgunicorn.uwsgi_import.table import ROWS
from rgunicorn.uwsgi_import.translation import translate
from rgunicorn.uwsgi_import.writing import ORDER
from uwsgi_import.imported import left, of_lines, settings

# Lines, and the settings they become beside those of uWSGI's defaults.
CASES: list[tuple[list[str], dict[str, object]]] = [
    # The application.
    (["module = shop.wsgi"], {"wsgi_app": "shop.wsgi:application"}),
    (["module = shop:app"], {"wsgi_app": "shop:app"}),
    (["wsgi = shop:app"], {"wsgi_app": "shop:app"}),
    (["module = shop:WSGIHandler()"], {"wsgi_app": "shop:WSGIHandler()"}),
    (["module = shop", "callable = app"], {"wsgi_app": "shop:app"}),
    (["callable = app", "wsgi-file = shop.py"], {"wsgi_app": "shop:app"}),
    (["wsgi-file = a/b/wsgi.py"], {"wsgi_app": "a.b.wsgi:application"}),
    (["wsgi-file = ./my-app.py"], {"wsgi_app": "my-app:application"}),
    (
        ["wsgi-file = /nowhere/app/wsgi.py"],
        {"wsgi_app": "wsgi:application", "pythonpath": "/nowhere/app"},
    ),
    (
        ["chdir = /tmp", "wsgi-file = /tmp/a/wsgi.py"],
        {"chdir": "/tmp", "wsgi_app": "a.wsgi:application"},
    ),
    (["mount = /=shop:app"], {"wsgi_app": "shop:app"}),
    (
        ["mount = /shop=shop:app", "manage-script-name"],
        {"wsgi_app": "shop:app", "raw_env": ["SCRIPT_NAME=/shop"]},
    ),
    (["paste = config:/srv/a.ini"], {"paste": "/srv/a.ini"}),
    (["ini-paste = a.ini", "paste-name = api"], {"paste": "a.ini#api"}),
    (["pythonpath = /a", "pp = /b"], {"pythonpath": "/a,/b"}),
    (["env = A=1", "env = B=x=y z"], {"raw_env": ["A=1", "B=x=y z"]}),
    # Where to listen.
    (["socket = :3031"], {"bind": [":3031"], "protocol": "uwsgi"}),
    (["uwsgi-socket = [::]:3031"], {"bind": ["[::]:3031"], "protocol": "uwsgi"}),
    (["socket = /run/a.sock"], {"bind": ["unix:/run/a.sock"], "protocol": "uwsgi"}),
    (["socket = :1", "protocol = http"], {"bind": [":1"], "protocol": "http"}),
    (["http-socket = 127.0.0.1:80"], {"bind": ["127.0.0.1:80"]}),
    (["http-socket = fd://3"], {"bind": ["fd://3"]}),
    (["http = :80", "http = :81"], {"bind": [":80", ":81"]}),
    (["http = :80", "http = :80"], {"bind": [":80"]}),
    (["http11-socket = :80"], {"bind": [":80"], "sync_keepalive": True}),
    (["http = :80", "socket = :3031"], {"bind": [":80"]}),
    (["shared-socket = :81", "http = =0"], {"bind": [":81"]}),
    (
        ["https = :443,a.crt,a.key,HIGH,!ca.pem"],
        {
            "bind": [":443"],
            "certfile": "a.crt",
            "keyfile": "a.key",
            "ciphers": "HIGH",
            "ca_certs": "ca.pem",
            "cert_reqs": 2,
        },
    ),
    (
        ["http = :80", "https-socket = :443,a.crt,a.key"],
        {"bind": [":443"], "certfile": "a.crt", "keyfile": "a.key"},
    ),
    (
        ["http-socket = /run/a.sock", "chmod-socket = 1", "chown-socket = root:www-data"],
        {
            "bind": ["unix:/run/a.sock"],
            "unix_socket_mode": "666",
            "unix_socket_owner": "root:www-data",
        },
    ),
    (["http-socket = :80", "chmod-socket = 660"], {"bind": [":80"]}),
    (["umask = 022"], {"umask": 0o22}),
    (["listen = 1024"], {"backlog": 1024}),
    (["reuse-port"], {"reuse_port": True}),
    (["enable-proxy-protocol = true"], {"proxy_protocol": "v1"}),
    # Processes.
    (["processes = 4"], {"workers": 4}),
    (["workers = 4", "threads = 2"], {"workers": 4, "threads": 2}),
    (["threads = 1"], {}),
    (["max-requests = 9", "max-requests-delta = 5"], {"max_requests": 9}),
    (["gevent = 100"], {"worker_class": "gevent", "worker_connections": 100}),
    (
        ["gevent = 9", "threads = 2", "processes = 4", "cheaper = 2"],
        {"worker_class": "gevent", "worker_connections": 9, "workers": 2},
    ),
    (
        ["processes = 8", "cheaper = 2"],
        {"workers": 2, "min_workers": 2, "max_workers": 8},
    ),
    (
        ["processes = 8", "cheaper = 2", "cheaper-initial = 3"],
        {"workers": 3, "min_workers": 2, "max_workers": 8},
    ),
    (["processes = 2", "cheaper = 2"], {"workers": 2}),
    (["lazy-apps = true"], {"preload_app": False}),
    (["uid = 33", "gid = 33"], {"user": "33", "group": "33"}),
    (["pidfile = /run/a.pid"], {"pidfile": "/run/a.pid"}),
    (["safe-pidfile = /run/a.pid", "pidfile2 = /b"], {"pidfile": "/b"}),
    (["procname-prefix-spaced = shop"], {"proc_name": "shop"}),
    # Replacing workers.
    (["max-requests = 1000"], {"max_requests": 1000}),
    (
        ["processes = 3", "max-requests = 10", "max-requests-delta = 5"],
        {"workers": 3, "max_requests": 10, "max_requests_jitter": 10},
    ),
    (
        ["workers = 2", "max-worker-lifetime = 60", "max-worker-lifetime-delta = 7"],
        {"workers": 2, "max_worker_lifetime": 60, "max_worker_lifetime_jitter": 7},
    ),
    (["reload-on-rss = 512"], {"max_rss": "512M"}),
    (["reload-on-rss = 0.5"], {"max_rss": 524288}),
    (["evil-reload-on-rss = 1024"], {"max_rss_hard": "1024M"}),
    (["touch-reload = /a", "touch-reload = /b"], {"touch_reload": ["/a", "/b"]}),
    (["touch-chain-reload = /a"], {"touch_reload": ["/a"], "reload_strategy": "rolling"}),
    (["py-autoreload = 1"], {"reload": True}),
    (["py-autoreload = 0"], {}),
    # Times.
    (["harakiri = 20"], {"request_timeout": 20}),
    (["harakiri = 60"], {"request_timeout": 60, "timeout": 90}),
    (["threads = 2", "harakiri = 60"], {"threads": 2, "request_timeout": 60}),
    (["reload-mercy = 8"], {"graceful_timeout": 8}),
    (["worker-reload-mercy = 9", "reload-mercy = 8"], {"graceful_timeout": 9}),
    (
        ["socket-timeout = 30"],
        {"client_header_timeout": 30, "client_body_timeout": 30, "client_write_timeout": 30},
    ),
    (
        ["http = :80", "http-keepalive = 75"],
        {"bind": [":80"], "keepalive": 75, "sync_keepalive": True},
    ),
    (["http = :80", "http-keepalive = 1"], {"bind": [":80"], "sync_keepalive": True}),
    (["http = :80", "http-keepalive = 1", "threads = 2"], {"bind": [":80"], "threads": 2}),
    (["socket = :1", "http-keepalive = 9"], {"bind": [":1"], "protocol": "uwsgi"}),
    # Requests.
    (["buffer-size = 4000"], {}),
    (["buffer-size = 8000"], {"limit_request_line": 8000}),
    (
        ["buffer-size = 32768"],
        {"limit_request_line": 8190, "limit_request_field_size": 32768},
    ),
    (["socket = :1", "buffer-size = 32768"], {"bind": [":1"], "protocol": "uwsgi"}),
    (["post-buffering = 1"], {}),
    (["post-buffering = 8192"], {"request_buffer_size": 8192}),
    (
        ["post-buffering = 33554432"],
        {"request_buffer_size": 33554432, "request_buffer_limit": 33554432},
    ),
    (["disable-sendfile"], {"sendfile": False}),
    (["static-map = /s=/srv/s"], {"static_map": ["/s=/srv/s"]}),
    (["static-map2 = /s=/srv"], {"static_map": ["/s=/srv/s"]}),
    (["check-static = /srv/pub"], {"static_map": ["/=/srv/pub"]}),
    # Logs.
    (
        ["logto = /l"],
        {"errorlog": "/l", "capture_output": True, "accesslog": "/l"},
    ),
    (
        ["daemonize = /l"],
        {"daemon": True, "errorlog": "/l", "capture_output": True, "accesslog": "/l"},
    ),
    (["disable-logging"], {}),
    (
        ["disable-logging", "log-4xx", "log-5xx = true", "log-slow = 250"],
        {"accesslog": "-", "access_log_when": "4xx,5xx,slow:0.25", "log_slow": 0.25},
    ),
    (["log-4xx"], {}),
    (["log-slow = 2000"], {"log_slow": 2}),
    (
        ["log-format = %(method) %(uri) %(var.HTTP_X) 5%%"],
        {"access_log_format": "%(m)s %({raw_uri}e)s %({http_x}e)s 5%%"},
    ),
    (
        ["logformat = %(addr) [%(ltime)]", "log-x-forwarded-for"],
        {"access_log_format": "%({x-forwarded-for}i)s %(t)s"},
    ),
    (["logger = file:/e", "req-logger = file:/a"], {"errorlog": "/e", "accesslog": "/a"}),
    (["logger = shop stdio:", "logger = file:/e"], {"errorlog": "-", "accesslog": "-"}),
    (["log-syslog = shop"], {"syslog": True}),
    (["stats = :9191"], {"status_bind": ":9191"}),
    (["stats-server = /run/s"], {"status_bind": "unix:/run/s"}),
    # As uWSGI reads values.
    (["processes = 4 ; four"], {"workers": 4}),
    (["harakiri=20"], {"request_timeout": 20}),
    (["max_requests = 5"], {"max_requests": 5}),
    (["processes = 2", "processes = 3"], {"workers": 3}),
    (["reuse-port = off"], {}),
    (["lazy-apps = false ; not so"], {"preload_app": False}),
]


@pytest.mark.parametrize(("lines", "wanted"), CASES, ids=lambda case: "; ".join(case))
def test_lines_become(tmp_path: Path, lines: list[str], wanted: dict[str, object]) -> None:
    draft = of_lines(tmp_path, *lines)
    assert settings(draft) == wanted
    for line in draft.lines.values():
        assert all(option.written in lines for option in line.sources)


def test_defaults_of_uwsgi(tmp_path: Path) -> None:
    """What uWSGI does without a line, and we do not."""
    draft = of_lines(tmp_path, "module = a")
    assert (draft.lines["timeout"].value, draft.lines["accesslog"].value) == (0, "-")
    assert [(one.setting, one.value) for one in draft.proposals] == [("preload_app", True)]
    draft = of_lines(tmp_path, "disable-logging", "threads = 2", "lazy-apps")
    assert not {"timeout", "accesslog"} & draft.lines.keys()
    assert not draft.proposals


def test_a_mix_of_protocols_is_told(tmp_path: Path) -> None:
    draft = of_lines(tmp_path, "socket = :3031", "http-socket = :80", "https = :443,c,k")
    assert settings(draft)["bind"] == [":443"]
    assert left(draft) == [("socket", Fate.MISSING), ("http-socket", Fate.MISSING)]
    assert "uwsgi_pass" in draft.left[0].instead


def test_a_prefix_has_one_directory(tmp_path: Path) -> None:
    draft = of_lines(tmp_path, "static-map = /s=/a", "check-static = /b", "static-map = /s/=/c")
    assert settings(draft) == {"static_map": ["/=/b", "/s=/a"]}
    assert left(draft) == [("static-map", Fate.MISSING)]


def test_status_pages_where_the_application_is(tmp_path: Path) -> None:
    for lines in (("http = :80", "stats = 127.0.0.1:80"), ("http = /s", "stats = /s")):
        draft = of_lines(tmp_path, *lines)
        assert left(draft) == [("stats", Fate.OPEN)]
    draft = of_lines(tmp_path, "http = 127.0.0.2:80", "stats = 127.0.0.1:80")
    assert settings(draft)["status_bind"] == "127.0.0.1:80"


def test_peers_of_uwsgi_over_tcp(tmp_path: Path) -> None:
    draft = of_lines(tmp_path, "socket = 0.0.0.0:3031", "lazy-apps")
    assert [one.setting for one in draft.proposals] == ["uwsgi_allow_ips"]
    draft = of_lines(tmp_path, "socket = 127.0.0.1:3031", "lazy-apps")
    assert not draft.proposals


def test_what_differs_is_said(tmp_path: Path) -> None:
    draft = of_lines(tmp_path, "max_requests = 5", "processes = 4x", "log-format = %(vsz) %(pid)")
    assert "dashes" in draft.lines["max_requests"].notes[-1]
    assert draft.lines["workers"].notes == ["uWSGI reads 4 of '4x'."]
    notes = " ".join(draft.lines["access_log_format"].notes)
    assert "nothing for %(vsz)" in notes and "angle brackets" in notes
    assert draft.lines["access_log_format"].value == "- %(p)s"


def test_what_is_overruled_is_told(tmp_path: Path) -> None:
    draft = of_lines(tmp_path, "harakiri = 5", "harakiri = 6")
    assert settings(draft) == {"request_timeout": 6}
    assert [(one.option.text, one.fate) for one in draft.left] == [("5", Fate.UNNEEDED)]


SOME_VALUES = ("", "1", "0", "true", "off", "/srv/x", ":80", "A=B", "a,b,c", "/x=/y", "a:b")


def told(draft: Draft) -> set[str]:
    """What is written of the options that something was made or said of."""
    lines = (*draft.lines.values(), *draft.proposals)
    made = {option.written for line in lines for option in line.sources}
    return made | {one.option.written for one in draft.left}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_option_is_lost(row) -> None:  # type: ignore[no-untyped-def]
    """Every option of the table, with any value, becomes something or is told."""
    names = [name.replace("*", "x") for name in row.names]
    lines = [f"{name} = {value}".rstrip() for name in names for value in SOME_VALUES]
    for some in (*([line] for line in lines), lines):
        text = "\n".join(("[uwsgi]", "http = /run/a.sock", *some))
        options = ini.read(text, "uwsgi.ini", "uwsgi")
        assert options is not None
        draft = translate(Reading("uwsgi.ini", options, frozenset(), 0o644))
        assert set(some) <= told(draft)


def test_the_table() -> None:
    """Each option stands in it once, settings exist, and each has its place in the file."""
    names = [name for row in ROWS for name in row.names]
    assert sorted(set(names)) == sorted(names)
    known = {setting.name for setting in KNOWN_SETTINGS}
    becomes = {setting for row in ROWS for setting in row.becomes}
    assert becomes <= known
    assert becomes | {"uwsgi_allow_ips"} == set(ORDER)
    assert len(set(ORDER)) == len(ORDER)
    for row in ROWS:
        assert bool(row.becomes) == (row.fate is None)
        assert row.fate is None or row.text.endswith(".")
