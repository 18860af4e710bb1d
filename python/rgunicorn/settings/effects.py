"""When a setting has no effect: the one place that says so.

A setting whose feature is refused says in its `Unbuilt` what turns that feature on; everything else
is here. `rgunicorn doctor` reads both.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rgunicorn.config import Config

TLS = ("certfile", "keyfile")
ACCESS_LOGS = ("accesslog", "syslog", "logconfig", "logconfig_dict", "logconfig_json")

#: Settings that only tune what another one turns on; they need one of those.
NEEDS: dict[str, tuple[str, ...]] = {
    "max_requests_jitter": ("max_requests",),
    "max_worker_lifetime_jitter": ("max_worker_lifetime",),
    "preload_freeze": ("preload_app",),
    "reload_engine": ("reload",),
    "reload_extra_files": ("reload",),
    "enable_stdio_inheritance": ("daemon",),
    "initgroups": ("user",),
    "disable_redirect_access_to_syslog": ("syslog",),
    "syslog_addr": ("syslog",),
    "syslog_facility": ("syslog",),
    "syslog_prefix": ("syslog",),
    "dogstatsd_tags": ("statsd_host",),
    "statsd_prefix": ("statsd_host",),
    "enable_backlog_metric": ("statsd_host",),
    "raw_paste_global_conf": ("paste",),
    "proxy_allow_ips": ("proxy_protocol",),
    "uwsgi_allow_ips": ("protocol",),
    "ca_certs": TLS,
    "cert_reqs": TLS,
    "ciphers": TLS,
    "do_handshake_on_connect": TLS,
    "ssl_context": TLS,
    "suppress_ragged_eofs": TLS,
    "access_log_format": ACCESS_LOGS,
    "access_log_when": ACCESS_LOGS,
    "access_log_skip": ACCESS_LOGS,
}

#: Settings that count for some kinds of worker only. A kind is what `kind_of_worker` returns.
FOR_WORKERS: dict[str, tuple[str, ...]] = {
    "threads": ("sync", "gthread"),
    "sync_keepalive": ("sync",),
    "client_header_timeout": ("sync", "gthread", "gevent"),
    "client_body_timeout": ("sync", "gthread"),
    "client_write_timeout": ("sync", "gthread"),
    "request_buffer_size": ("sync", "gthread"),
    "request_buffer_limit": ("sync", "gthread"),
    "response_buffer_size": ("sync", "gthread"),
    "response_buffer_limit": ("sync", "gthread"),
    "worker_keeper": ("sync", "gthread"),
    "max_queue": ("sync", "gthread"),
    "max_queue_time": ("sync", "gthread"),
    "tmp_upload_dir": ("sync", "gthread"),
    "asgi_loop": ("asgi",),
    "asgi_lifespan": ("asgi",),
    "asgi_disconnect_grace_period": ("asgi",),
    "websocket_max_message_size": ("asgi",),
    "root_path": ("asgi",),
}

#: Settings of Gunicorn that are read and do nothing, there and here, with what is used instead.
DEPRECATED: dict[str, str] = {
    "ssl_version": "the hook ssl_context, with context.minimum_version",
}

#: Values of `worker_class` that Gunicorn keeps for old configurations, with the name of today.
OLD_WORKERS: dict[str, str] = {"gevent_wsgi": "gevent_pywsgi"}


def kind_of_worker(cfg: Config) -> str | None:
    """The alias of the worker class in use; None for a class of somebody else.

    One thread more turns `sync` into `gthread`, as `Config.worker_class` does it.
    """
    from rgunicorn.workers import SUPPORTED_WORKERS

    uri = cfg.worker_class_str if isinstance(cfg.settings["worker_class"].get(), str) else None
    if uri is None:
        return None
    own = {dotted: alias for alias, dotted in SUPPORTED_WORKERS.items()}
    own |= {dotted.removeprefix("r"): alias for dotted, alias in own.items()}
    return uri if uri in SUPPORTED_WORKERS else own.get(uri)


def without_effect(cfg: Config, name: str) -> str | None:
    """Why the setting `name` does nothing in this combination; None when it counts.

    Only what has another value than its default is looked at: a default is nobody's wish.
    """
    setting = cfg.settings[name]
    if setting.has_default:
        return None
    needs = setting.unbuilt.switches if setting.unbuilt is not None else NEEDS.get(name, ())
    if needs and all(cfg.settings[other].has_default for other in needs):
        return f"it only tunes what {_any_of(needs)} turns on"
    kind = kind_of_worker(cfg)
    kinds = FOR_WORKERS.get(name)
    if kinds is not None and kind is not None and kind not in kinds:
        return f"the {kind} worker takes no notice of it; {_any_of(kinds)} would"
    special = _SPECIAL.get(name)
    return special(cfg) if special is not None else None


def _any_of(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _keepalive(cfg: Config) -> str | None:
    if kind_of_worker(cfg) == "sync" and not cfg.sync_keepalive:
        return "the sync worker closes each connection after one request, as Gunicorn's does"
    return None


def _capture_output(cfg: Config) -> str | None:
    return "errorlog is stderr, where the output already goes" if cfg.errorlog == "-" else None


def _protocol(cfg: Config) -> str | None:
    if cfg.protocol in ("http", "uwsgi"):
        return None
    return "there is http and uwsgi; anything else is http, as in Gunicorn"


def _uwsgi_allow_ips(cfg: Config) -> str | None:
    return None if cfg.protocol == "uwsgi" else "protocol is not uwsgi"


def _umask(cfg: Config) -> str | None:
    if any(str(bind).startswith("unix:") for bind in cfg.bind):
        return None
    return "it is the mask of unix listeners only, and bind has none"


def _unix_socket(cfg: Config) -> str | None:
    if any(str(bind).startswith("unix:") for bind in cfg.bind):
        return None
    return "it is about unix listeners that the server makes, and bind has none"


def _logconfig(*stronger: str) -> Callable[[Config], str | None]:
    def check(cfg: Config) -> str | None:
        used = [name for name in stronger if not cfg.settings[name].has_default]
        return f"{used[0]} is set as well, and wins" if used else None

    return check


def _bind(cfg: Config) -> str | None:
    given = [bind for bind in cfg.bind if str(bind).startswith("fd://")]
    others = [bind for bind in cfg.bind if not str(bind).startswith("fd://")]
    if given and others:
        return f"with {given[0]}, an inherited descriptor, {', '.join(others)} is not listened on"
    return None


_SPECIAL: dict[str, Callable[[Config], str | None]] = {
    "bind": _bind,
    "capture_output": _capture_output,
    "keepalive": _keepalive,
    "logconfig": _logconfig("logconfig_dict", "logconfig_json"),
    "logconfig_json": _logconfig("logconfig_dict"),
    "protocol": _protocol,
    "umask": _umask,
    "unix_socket_mode": _unix_socket,
    "unix_socket_owner": _unix_socket,
    "uwsgi_allow_ips": _uwsgi_allow_ips,
}
