"""Options that become settings."""

from __future__ import annotations

from rgunicorn.uwsgi_import.addresses import address
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.row import Row, composed, one
from rgunicorn.uwsgi_import.values import (
    Made,
    Unfit,
    assignment,
    megabytes,
    path,
    positive,
    switch,
    text,
    umask,
)


def _paths(option: Option) -> Made:
    made = text(option)
    return Made([made.value], made.note)


def directories(option: Option) -> Made:
    """Directories for `pythonpath`.

    Raises:
        Unfit: there is none, or it is a pattern, or it has a comma.
    """
    made = text(option)
    if any(sign in made.value for sign in "*?["):
        raise Unfit("it is a pattern; write its directories one by one")
    if "," in made.value:
        raise Unfit("it has a comma, which stands between directories here")
    return made


def _reload(option: Option) -> Made:
    # The number is how often uWSGI looks; 0 is off.
    return Made(switch(option).value and bool(positive(option).value))


def _status(option: Option) -> Made:
    made = address(option.text)
    note = "The document that uwsgitop reads is at /stats, beside /metrics, /healthz and /readyz."
    return Made(made.value, f"{made.note} {note}".strip())


def _no_sendfile(option: Option) -> Made:
    return Made(not switch(option).value)


def _proxy_line(option: Option) -> Made:
    switch(option)
    return Made("v1")


def _words(option: Option) -> Made:
    return Made(text(option).value.strip())


APPLICATION: tuple[Row, ...] = (
    composed(
        "module wsgi",
        "wsgi_app",
        "MODULE or MODULE:NAME; without a name both servers take `application`.",
    ),
    composed(
        "wsgi-file file",
        "wsgi_app",
        "The file's module, and its directory in `pythonpath` if that is not below `chdir`. uWSGI "
        "runs the file itself.",
    ),
    composed("callable test", "wsgi_app", "The name behind the colon."),
    composed("mount", "wsgi_app raw_env", "One mount: its path becomes SCRIPT_NAME."),
    composed("manage-script-name", "raw_env", "See `mount`."),
    composed("paste ini-paste ini-paste-logged", "paste"),
    composed("paste-name", "paste"),
    one("chdir", "chdir", text, "It must exist; it also comes first on the Python path."),
    composed(
        "pythonpath python-path pp early-pythonpath early-python-path",
        "pythonpath",
        "Directories with commas between them.",
    ),
    one("env ienv", "raw_env", assignment, "Set before the application is loaded."),
)

ADDRESSES: tuple[Row, ...] = (
    composed(
        "socket uwsgi-socket",
        "bind protocol",
        "Speaks uwsgi, as `uwsgi_pass` of nginx does; over TCP only with `uwsgi_allow_ips`.",
    ),
    composed("protocol socket-protocol", "protocol", "What `socket` speaks: uwsgi or http."),
    composed("http-socket http11-socket", "bind sync_keepalive"),
    composed("http httprouter", "bind", "No router is needed: workers speak HTTP themselves."),
    composed(
        "https https-socket",
        "bind certfile keyfile ciphers ca_certs cert_reqs",
        "ADDRESS,CERTIFICATE,KEY[,CIPHERS[,CLIENT-CA]].",
    ),
    composed("shared-socket undeferred-shared-socket", "bind", "Where `=N` refers to it."),
    composed(
        "chmod-socket chmod",
        "unix_socket_mode",
        "Without it the mode is up to umask: uWSGI inherits that, here it is 0.",
    ),
    composed("chown-socket", "unix_socket_owner"),
    one("umask", "umask", umask, "For Unix sockets and heartbeat files only."),
    one(
        "listen",
        "backlog",
        positive,
        "The kernel cuts it to net.core.somaxconn; uWSGI refuses more.",
    ),
    one("reuse-port", "reuse_port", switch),
    one(
        "enable-proxy-protocol http-enable-proxy-protocol",
        "proxy_protocol",
        _proxy_line,
        "Only peers in `proxy_allow_ips` may send the line.",
    ),
)

PROCESSES: tuple[Row, ...] = (
    composed("processes workers", "workers max_workers"),
    composed(
        "threads",
        "threads",
        "More than one makes gthread workers: a thread is taken only while the application runs.",
    ),
    composed("gevent", "worker_class worker_connections", "Needs the package gevent, as in uWSGI."),
    composed(
        "cheaper",
        "min_workers max_workers workers",
        "The number follows the load by rules of its own: no algorithm and no steps to set.",
    ),
    composed("cheaper-initial", "workers", "The number to begin with."),
    composed(
        "lazy-apps lazy",
        "preload_app",
        "uWSGI loads the application before it forks unless this is set. That is `preload_app`, "
        "but then HUP does not load new code, as it does in uWSGI.",
    ),
    one("uid", "user", _words, "Workers only: the master stays as it was started."),
    one("gid", "group", _words, "Workers only."),
    one(
        "pidfile safe-pidfile pidfile2 safe-pidfile2",
        "pidfile",
        path,
        "A second server that finds the master of the first one alive does not start.",
    ),
    composed(
        "procname-prefix-spaced procname-prefix procname procname-master",
        "proc_name",
        "Part of the process title, with the package setproctitle.",
    ),
)

RECYCLING: tuple[Row, ...] = (
    one("max-requests", "max_requests", positive, "The successor is forked first."),
    composed("max-requests-delta", "max_requests_jitter", "Random, where uWSGI counts workers."),
    one(
        "max-worker-lifetime",
        "max_worker_lifetime",
        positive,
        "One worker at a time, the successor first.",
    ),
    composed("max-worker-lifetime-delta", "max_worker_lifetime_jitter", "Random, as above."),
    one(
        "reload-on-rss reload-on-uss",
        "max_rss",
        megabytes,
        "Megabytes. Counted without what is shared with others: set it lower if uWSGI's limit "
        "was on RSS and much was shared.",
    ),
    one(
        "evil-reload-on-rss",
        "max_rss_hard",
        megabytes,
        "Megabytes. Looked at between requests: running ones are finished, uWSGI kills.",
    ),
    one("touch-reload touch-workers-reload", "touch_reload", _paths, "As HUP: new workers first."),
    composed(
        "touch-chain-reload",
        "touch_reload reload_strategy",
        "One worker after the other, also on HUP.",
    ),
    one(
        "py-autoreload py-auto-reload python-autoreload python-auto-reload",
        "reload",
        _reload,
        "For development only, as there.",
    ),
)

DEADLINES: tuple[Row, ...] = (
    composed(
        "harakiri",
        "request_timeout timeout",
        "Seconds. The client gets a 504, the log the stack; other requests of the worker are "
        "finished.",
    ),
    composed(
        "worker-reload-mercy reload-mercy",
        "graceful_timeout",
        "Seconds that requests may still take after TERM or HUP; 60 in uWSGI, here 30.",
    ),
    composed(
        "socket-timeout",
        "client_header_timeout client_body_timeout client_write_timeout",
        "Seconds without progress; 4 in uWSGI, here 60. A slow client holds no worker here.",
    ),
    one("http-headers-timeout", "client_header_timeout", positive),
    one("chunked-input-timeout", "client_body_timeout", positive),
    composed("http-keepalive", "keepalive sync_keepalive"),
)

REQUESTS: tuple[Row, ...] = (
    composed(
        "buffer-size",
        "limit_request_line limit_request_field_size",
        "Bytes of all headers in uWSGI, of the line and of each field here. A uwsgi packet may "
        "always have 64 KiB.",
    ),
    composed(
        "post-buffering",
        "request_buffer_size request_buffer_limit",
        "Bytes in memory. Bodies are always received before the application starts.",
    ),
    one("disable-sendfile", "sendfile", _no_sendfile),
    composed(
        "static-map",
        "static_map",
        "`PREFIX=DIR`. What is not there is left to the application, as in uWSGI.",
    ),
    composed("static-map2", "static_map", "`PREFIX=DIR`, the prefix being a part of the path."),
    composed("check-static static-check", "static_map", "As the prefix `/`."),
)

LOGGING: tuple[Row, ...] = (
    composed("logto logto2", "errorlog accesslog capture_output"),
    composed("daemonize daemonize2", "daemon errorlog accesslog capture_output"),
    composed(
        "logger req-logger logger-req",
        "errorlog accesslog",
        "`file:` and `stdio`; others are told.",
    ),
    composed("log-syslog", "syslog", "Address and facility: `syslog_addr`, `syslog_facility`."),
    composed("disable-logging", "accesslog", "No access log, or only what `log-*` asks for."),
    composed("log-4xx", "access_log_when", "With disable-logging; else all is logged anyway."),
    composed("log-5xx", "access_log_when", "As log-4xx."),
    composed(
        "log-slow",
        "access_log_when log_slow",
        "Milliseconds there, seconds here; `log_slow` warns while the request still runs.",
    ),
    composed("log-format logformat", "access_log_format", "The variables are translated."),
    composed("log-x-forwarded-for", "access_log_format", "Anybody can send that header."),
    one("stats stats-server", "status_bind", _status, "Read-only; served by a process of its own."),
)

ROWS = (*APPLICATION, *ADDRESSES, *PROCESSES, *RECYCLING, *DEADLINES, *REQUESTS, *LOGGING)
