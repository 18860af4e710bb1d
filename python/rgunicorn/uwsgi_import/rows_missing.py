"""Options without an equivalent."""

from __future__ import annotations

from rgunicorn.uwsgi_import.row import Row, missing

_LANGUAGE = "Only Python is served, by CPython."

ROWS: tuple[Row, ...] = (
    missing(
        "async asyncio loop greenlet ugreen ugreen-stacksize stackless fiber tornado",
        "There is no loop that WSGI applications share by uWSGI's own switching.",
        '`threads`, worker_class = "gevent" for WSGI, or "asgi" for ASGI applications',
    ),
    missing(
        "reload-on-as evil-reload-on-as",
        "Address space says little of memory that is used.",
        "`max_rss`",
    ),
    missing(
        "reload-on-pss",
        "Only memory that is not shared is looked at.",
        "`max_rss` with a lower number",
    ),
    missing("reload-on-fd brutal-reload-on-fd", "Descriptors are not counted.", "`max_requests`"),
    missing(
        "reload-on-exception reload-on-exception-type reload-on-exception-value "
        "reload-on-exception-repr",
        "An exception is answered with 500, and the worker goes on.",
        "the hook `post_request`",
    ),
    missing(
        "catch-exceptions",
        "Tracebacks of requests are never sent to clients.",
        "the error log; DEBUG of your framework while you develop",
    ),
    missing("exception-handler", "There are no handlers of uWSGI.", "Sentry, or a middleware"),
    missing(
        "fs-reload fs-brutal-reload fs-signal",
        "No directory is watched.",
        "`touch_reload`, or `reload` while you develop",
    ),
    missing(
        "touch-signal touch-mules-reload touch-spoolers-reload",
        "There are no mules, spoolers or signals of uWSGI.",
    ),
    missing(
        "harakiri-graceful-timeout harakiri-graceful-signal",
        "A request past its deadline is answered with 504 and its worker replaced.",
        '`environ["rgunicorn.deadline"]` moves the deadline of a request',
    ),
    missing(
        "harakiri-queue-threshold harakiri-no-arh no-harakiri-arh no-harakiri-after-req-hook",
        "The deadline holds for every request.",
        "`max_queue` and `max_queue_time` when there is too much to do",
    ),
    missing(
        "http-timeout http-connect-timeout http-harakiri",
        "There is no router between client and worker.",
        "`request_timeout`, `client_body_timeout` and `client_write_timeout`",
    ),
    missing(
        "so-keepalive so-send-timeout socket-send-timeout so-write-timeout socket-write-timeout "
        "socket-sndbuf socket-rcvbuf tcp-fast-open tcp-fastopen freebind",
        "Options of TCP sockets can not be set.",
        "sysctl, or nginx in front",
    ),
    missing(
        "fastcgi-socket fastcgi-nph-socket scgi-socket scgi-nph-socket raw-socket puwsgi-socket "
        "suwsgi-socket ssl-socket udp",
        "HTTP and uwsgi are spoken here.",
        "`proxy_pass` or `uwsgi_pass` in nginx",
    ),
    missing("abstract-socket", "Abstract sockets are not carried over.", "a path"),
    missing(
        "cheap idle die-on-idle die-on-no-workers",
        "Workers are there before the first request.",
        "`min_workers`; socket activation of systemd",
    ),
    missing(
        "cheaper-rss-limit-soft cheaper-rss-limit-hard",
        "The number of workers does not follow memory.",
        "`max_rss` for each worker",
    ),
    missing("chdir2 force-cwd", "The directory is set once, before the application is loaded."),
    missing(
        "max-vars", "The number of headers is limited, not of variables.", "`limit_request_fields`"
    ),
    missing("http-buffer-size response-headers-limit", "Headers of responses are not limited."),
    missing("log-big", "Requests are not chosen by size.", "`access_log_when`"),
    missing("upload-progress", "Uploads are not told of.", "the application, or JavaScript"),
    missing(
        "file-serve-mode fileserve-mode", "Files are sent by sendfile.", "nginx's X-Accel-Redirect"
    ),
    missing(
        "static-index static-expires static-expires-* static-skip-ext static-safe mime-file "
        "mimefile static-cache-paths static-cache-paths-name",
        "`static_map` has no such options.",
        "nginx, or WhiteNoise",
    ),
    missing("wsgi-disable-file-wrapper", "wsgi.file_wrapper is always there."),
    missing("pyargv", "sys.argv is that of the server.", "the environment (`raw_env`)"),
    missing(
        "pymodule-alias post-pymodule-alias", "Modules are not renamed.", "sys.modules in the app"
    ),
    missing("py-tracebacker", "There is no socket for stacks.", "`log_slow`, or py-spy"),
    missing("py-auto-reload-ignore", "All loaded modules are watched."),
    missing("eval", "No code of a configuration is run.", "a module, named by `wsgi_app`"),
    missing("web3 pump wsgi-lite pecan python-raw", "WSGI and ASGI are spoken here.", "a WSGI app"),
    missing("dynamic-apps", "The proxy chooses no application.", "a server for each"),
    missing("worker-mount", "There is one application in a server.", "a server for each"),
    missing(
        "thread-stacksize threads-stacksize thread-stack-size threads-stack-size",
        "Threads have Python's stack size.",
        "threading.stack_size() in the config file",
    ),
    missing("ksm", "Memory is not merged by the kernel.", "`preload_app` shares it from the start"),
    missing(
        "master-fifo notify-socket",
        "There is no command pipe.",
        "signals: HUP, TERM, USR1, USR2, TTIN, TTOU (docs/coming-from/uwsgi.md)",
    ),
    missing("exit-on-reload", "A reload keeps the server.", "restart the service"),
    missing("flock flock-wait flock2 flock-wait2", "There are no locks of files.", "`pidfile`"),
    missing(
        "legion legion-* multicast multicast-* rpc-max", "There is no cluster.", "your orchestrator"
    ),
    missing("fork-server fork-socket", "Workers are forked by their master.", "`preload_app`"),
    missing(
        "tcp-fast-open-client tcp-fastopen-client http-stud-prefix http-var http-manage-source "
        "http-server-name-as-http-host http-path-info-no-decode-slashes http-auto-gzip "
        "http-post-buffering http-post-buffering-dir http-stats http-ss http-stats-server http-uid "
        "http-gid http-backend-http http-manage-rtsp",
        "It is about uWSGI's HTTP router.",
        "nginx",
    ),
    missing("ignore-script-name", "SCRIPT_NAME of a trusted proxy counts.", "`forwarder_headers`"),
    missing("declare-option declare-option2", "Options can not be made.", "Python in the file"),
    missing("blacklist whitelist end-blacklist end-whitelist", "Settings can not be forbidden."),
    missing("resolve", "No name is resolved in a configuration."),
    missing(
        "ini xml xmlconfig yaml yml json js include config inherit inject-before inject-after",
        "The file is not read.",
        "import it by itself",
    ),
    missing("dlopen", "No library is loaded."),
    missing("exit", "It ends uWSGI."),
    missing("file-write", "No files are written."),
    missing("after-request-hook after-request-call", "No function is called.", "`post_request`"),
    missing(
        "php-* early-php early-php-* psgi psgi-* perl-* early-perl early-perl-* early-psgi plshell "
        "plshell-* coroae rack rails ruby-* rubyrequire rb-* rbrequire rbshell rbshell-* rbthread "
        "rbthreads require shared-require shared-rb-require shared-rbrequire shared-ruby-require "
        "shared-rubyrequire gemset rvm rvm-path lua lua-* luashell luashell-* jvm-* jwsgi ring-* "
        "clojure-load mono-* cgi cgi-* go-* gccgo-* goroutines erlang erlang-* pypy-*",
        _LANGUAGE,
        "php-fpm, Puma, or what serves that language",
    ),
    missing("auto-snapshot", "The server makes no copies of itself.", "USR2 for a new master"),
    missing("pyshell pyshell-*", "There is no shell in the server.", "`python -i`"),
    missing(
        "dumbloop-* symcall symcall-* profiler ldap ldap-* pam pam-user geoip-* glusterfs-* "
        "rados-* "
        "webdav-* xslt-* sqlite sqlite3 rrdtool rrdtool-* zabbix-template zeromq zeromq-socket zmq "
        "zmq-socket mongrel2 log-zeromq notfound-log nagios pty-*",
        "It belongs to a plugin of uWSGI.",
    ),
)
