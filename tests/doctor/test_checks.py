"""Each check has a configuration that triggers it, and a like one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doctor.patient import Healthy, checks, django, found
from rgunicorn.doctor.examination import CHECKS
from rgunicorn.doctor.finding import ERROR, HINT, WARNING

ROOT = Healthy(euid=0)
TLS = "certfile, keyfile = CERT, KEY\n"
HOOK = "def when_ready(server): pass\n"

# severity, check, setting, config that triggers it, config that does not, other facts of both
CASES: list[tuple[str, str, str | None, str, str, dict[str, Any]]] = [
    (WARNING, "unknown-name", "Workers", "Workers = 4", "workers = 4", {}),
    (WARNING, "unknown-name", "max_request", "max_request = 4", "max_requests = 4", {}),
    (WARNING, "unknown-name", "preload", "preload = True", "preload_app = True", {}),
    (WARNING, "unknown-name", "access_logfile", "access_logfile = '-'", "accesslog = '-'", {}),
    (WARNING, "unknown-name", "debug", "debug = True", "DEBUG_FLAG = True", {}),
    (
        WARNING,
        "unknown-name",
        "worker_connection",
        "worker_connection = 9",
        "worker_connections = 9",
        {},
    ),
    (WARNING, "unknown-name", "when_redy", HOOK.replace("ready", "redy"), HOOK, {}),
    (
        WARNING,
        "ignored",
        "max_requests_jitter",
        "max_requests_jitter = 9",
        "max_requests = 999",
        {},
    ),
    (WARNING, "ignored", "keepalive", "keepalive = 9", "keepalive = 9\nthreads = 2", {}),
    (WARNING, "ignored", "protocol", "protocol = 'uwsg'", "protocol = 'uwsgi'", {}),
    (
        WARNING,
        "ignored",
        "uwsgi_allow_ips",
        "uwsgi_allow_ips = '10.0.0.1'\nprotocol = 'fastcgi'",
        "uwsgi_allow_ips = '10.0.0.1'\nprotocol = 'uwsgi'",
        {},
    ),
    (
        WARNING,
        "no-directory",
        "tmp_upload_dir",
        "tmp_upload_dir = '/nowhere'",
        "tmp_upload_dir = '/tmp'",
        {},
    ),
    (WARNING, "ignored", "umask", "umask = 7", "umask = 7\nbind = 'unix:/x'", {}),
    (
        WARNING,
        "ignored",
        "unix_socket_mode",
        "unix_socket_mode = '660'",
        "unix_socket_mode = '660'\nbind = 'unix:/x'",
        {},
    ),
    (
        WARNING,
        "source-served",
        "static_map",
        f"static_map = '/static={Path(__file__).parent}'",
        f"static_map = '/static={Path(__file__).parents[2]}/docs/design'",
        {},
    ),
    (
        WARNING,
        "ignored",
        "capture_output",
        "capture_output = True",
        "capture_output = True\nerrorlog = 'x'",
        {},
    ),
    (
        WARNING,
        "ignored",
        "logconfig",
        "logconfig = 'x'\nlogconfig_dict = {'version': 1}",
        "logconfig = 'x'",
        {},
    ),
    (
        WARNING,
        "ignored",
        "bind",
        "bind = ['fd://3', '127.0.0.1:80']",
        "bind = ['fd://3', 'fd://4']",
        {},
    ),
    (
        WARNING,
        "ignored",
        "proxy_allow_ips",
        "proxy_allow_ips = '10.0.0.1'",
        "proxy_allow_ips = '10.0.0.1'\nproxy_protocol = True",
        {},
    ),
    (WARNING, "ignored", "asgi_lifespan", "asgi_lifespan = 'off'", "threads = 2", {}),
    (
        WARNING,
        "ignored",
        "sync_keepalive",
        "sync_keepalive = True\nthreads = 2",
        "sync_keepalive = True",
        {},
    ),
    (WARNING, "deprecated", "ssl_version", "ssl_version = 'TLSv1'", "", {}),
    (
        WARNING,
        "deprecated",
        "worker_class",
        "worker_class = 'gevent_wsgi'",
        "worker_class = 'gthread'",
        {},
    ),
    (
        WARNING,
        "worker-warns",
        "worker_connections",
        "threads = 9\nworker_connections = 9",
        "threads = 9\nworker_connections = 99",
        {},
    ),
    (ERROR, "refused", "http_protocols", "http_protocols = 'h1,h2'", "http_protocols = 'h1'", {}),
    (ERROR, "refused", "dirty_workers", "dirty_workers = 1", "dirty_workers = 0", {}),
    (ERROR, "refused", "control_socket", "control_socket = '/x'", "", {}),
    (ERROR, "refused", "worker_class", "worker_class = 'no.such.Class'", "", {}),
    (
        ERROR,
        "conflict",
        "request_buffer_size",
        "request_buffer_size = '2M'\nrequest_buffer_limit = '1M'",
        "request_buffer_limit = '1M'",
        {},
    ),
    (ERROR, "unusable-value", "bind", "bind = 'x:abc'", "bind = 'x:80'", {}),
    (ERROR, "unusable-value", "raw_env", "raw_env = ['a']", "raw_env = ['a=b']", {}),
    (ERROR, "unusable-value", "logger_class", "logger_class = 'no.such.Log'", "", {}),
    (HINT, "overruled", "wsgi_app", "wsgi_app = 'a:b'", "", {"positional": True, "app": "c:d"}),
    (ERROR, "not-root", "user", "user = 1", "import os\nuser = os.geteuid()", {}),
    (WARNING, "root", "user", "user = 0", "user = 33", {"machine": ROOT}),
    (WARNING, "many-workers", "workers", "workers = 99", "workers = 9", {}),
    (HINT, "many-threads", "threads", "threads = 999", "threads = 9", {}),
    (
        WARNING,
        "memory",
        "workers",
        "workers = 4",
        "workers = 2",
        {"machine": Healthy(memory=100 << 20)},
    ),
    (WARNING, "no-timeout", "timeout", "timeout = 0", "timeout = 30", {}),
    (HINT, "timeout-of-threads", "timeout", "timeout = 9\nthreads = 2", "timeout = 9", {}),
    (
        WARNING,
        "timeout-comes-first",
        "request_timeout",
        "request_timeout = 30",
        "request_timeout = 29",
        {},
    ),
    (WARNING, "few-requests", "max_requests", "max_requests = 5", "max_requests = 5000", {}),
    (
        WARNING,
        "memory-limits",
        "max_rss_hard",
        "max_rss = '1G'\nmax_rss_hard = '1G'",
        "max_rss = '1G'\nmax_rss_hard = '1500M'",
        {},
    ),
    (WARNING, "spew", "spew", "spew = True", "spew = False", {}),
    (WARNING, "reload", "reload", "reload = True", "reload = False", {}),
    (
        WARNING,
        "reload-preload",
        "preload_app",
        "reload = preload_app = True",
        "preload_app = True",
        {},
    ),
    (
        WARNING,
        "touch-preload",
        "touch_reload",
        "touch_reload = ['/f']\npreload_app = True",
        "touch_reload = ['/f']",
        {},
    ),
    (WARNING, "debug-log", "loglevel", "loglevel = 'debug'", "loglevel = 'info'", {}),
    (
        ERROR,
        "not-writable",
        "errorlog",
        "errorlog = '/locked'",
        "errorlog = '/open'",
        {"machine": Healthy(locked=("/locked",))},
    ),
    (ERROR, "no-directory", "worker_tmp_dir", "worker_tmp_dir = '/no/x'", "", {}),
    (
        WARNING,
        "heartbeat-on-disk",
        "worker_tmp_dir",
        "worker_tmp_dir = '/tmp'",
        "worker_tmp_dir = '/dev/shm'",
        {"machine": Healthy(disks=("/tmp",), in_container=True)},
    ),
    (
        WARNING,
        "no-title",
        "proc_name",
        "proc_name = 'x'",
        "",
        {"machine": Healthy(has_setproctitle=False)},
    ),
    (
        WARNING,
        "trust-everybody",
        "forwarded_allow_ips",
        "bind = '0.0.0.0:80'\nforwarded_allow_ips = '*'",
        "bind = 'unix:/x'\nforwarded_allow_ips = '*'",
        {},
    ),
    (
        WARNING,
        "trust-everybody",
        "proxy_allow_ips",
        "bind = ':80'\nproxy_allow_ips = '*'\nproxy_protocol = 'v1'",
        "bind = '127.0.0.1:80'\nproxy_allow_ips = '*'\nproxy_protocol = 'v1'",
        {},
    ),
    (
        WARNING,
        "status-open",
        "status_bind",
        "status_bind = '0.0.0.0:9100'",
        "status_bind = '10.0.0.7:9100'",
        {},
    ),
    (
        WARNING,
        "status-open",
        "status_bind",
        "status_bind = '[2600::7]:9100'",
        "status_bind = 'unix:/run/shop/status.sock'",
        {},
    ),
    (
        HINT,
        "status-open",
        "status_bind",
        "status_bind = ':9100'",
        "status_bind = 'localhost:9100'",
        {"machine": Healthy(in_container=True)},
    ),
    (WARNING, "no-limit", "limit_request_line", "limit_request_line = 0", "", {}),
    (
        WARNING,
        "lenient-parser",
        "strip_header_spaces",
        "strip_header_spaces = True",
        "strip_header_spaces = False",
        {},
    ),
    (WARNING, "lenient-parser", "header_map", "header_map = 'dangerous'", "", {}),
    (ERROR, "tls", "keyfile", "keyfile = KEY", TLS, {}),
    (ERROR, "tls", "certfile", "certfile = '/no/such.pem'", TLS, {}),
    (ERROR, "tls", "certfile", "certfile = CERT", TLS, {}),
    (ERROR, "tls", "ca_certs", TLS + "ca_certs = KEY", TLS + "ca_certs = CA", {}),
    (ERROR, "tls", "ciphers", TLS + "ciphers = 'nonsense'", TLS, {}),
    (ERROR, "tls", "ssl_context", TLS + "def ssl_context(a, b): 1 / 0", TLS, {}),
    (WARNING, "tls", "cert_reqs", TLS + "cert_reqs = 2", TLS + "cert_reqs = 2\nca_certs = CA", {}),
    (HINT, "tls-on-80", "bind", TLS + "bind = ':80'", TLS + "bind = ':443'", {}),
    (
        WARNING,
        "preload-threads",
        "preload_app",
        "preload_app = True",
        "",
        {"threads": ["reporter"]},
    ),
]


@pytest.mark.parametrize(
    ("severity", "check", "setting", "ill", "well", "facts"),
    CASES,
    ids=[f"{case[1]}-{case[2]}-{i}" for i, case in enumerate(CASES)],
)
def test_check(
    severity: str, check: str, setting: str, ill: str, well: str, facts: dict[str, Any]
) -> None:
    hits = [f for f in found(ill, **facts) if (f.check, f.setting) == (check, setting)]
    assert [hit.severity for hit in hits] == [severity], found(ill, **facts)
    assert hits[0].why and hits[0].change
    if check != "overruled":
        assert (check, setting) not in checks(well, **facts)


def test_overruled_by_the_command_line() -> None:
    assert ("overruled", "timeout") in checks("timeout = 5", "-t 6")
    assert ("overruled", "timeout") not in checks("timeout = 6", "-t 6")
    assert ("overruled", "wsgi_app") not in checks("wsgi_app = 'a:b'")


def test_djangos_debug_mode() -> None:
    assert checks(modules=django(DEBUG=True)) == [("django-debug", None)]
    assert checks(modules=django(DEBUG=False)) == []


def test_a_broken_application() -> None:
    (finding,) = found(app="a:b", app_error="Traceback\n  here\nImportError: No module named 'a'\n")
    assert (finding.check, finding.severity) == ("application", ERROR)
    assert finding.why == "ImportError: No module named 'a'"


@pytest.mark.parametrize(
    "config",
    [
        "",
        "import multiprocessing\nworkers = multiprocessing.cpu_count() and 3\n",
        "from os import environ as env\nbind = '127.0.0.1:' + env.get('PORT', '1')\n",
        "WORKERS = 3\nworkers = WORKERS\n",
        "port = 8000\nhost = '127.0.0.1'\nbind = f'{host}:{port}'\n",
        "max_worker = 3\nworkers = min(max_worker, 2)\n",
        "_private = 1\nAPP_NAME = 'x'\nproject_dir = '/x'\n",
        "def helper(): pass\ndef make_bind(): return ':1'\n",
        "count = 0\ndef pre_request(worker, req):\n    global count\n    count += 1\n",
        "class Filter: pass\n",
        "try:\n    import timeout as Timeout\nexcept ImportError:\n    Timeout = None\n",
    ],
)
def test_helpers_of_a_file_are_its_own_business(config: str) -> None:
    assert checks(config) == []


def test_every_check_is_tried() -> None:
    """Each function of the list yields something in some case above or in the tests below it."""
    from doctor.patient import subject

    silent = set(CHECKS)
    for case in CASES:
        for check in list(silent):
            machine = case[5].get("machine") or Healthy()
            fields = {k: v for k, v in case[5].items() if k != "machine"}
            if list(check(subject(case[3], **fields), machine)):
                silent.discard(check)
    assert {check.__name__ for check in silent} == {"imported", "django"}
