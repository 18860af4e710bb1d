"""Options that nobody misses: what they do happens anyway, or cures what is no illness here."""

from __future__ import annotations

from rgunicorn.uwsgi_import.row import Row, unneeded

ROWS: tuple[Row, ...] = (
    unneeded("master", "There is always a master."),
    unneeded("enable-threads", "Threads of the application always run."),
    unneeded("single-interpreter", "There is one interpreter in each process, always."),
    unneeded("vacuum", "Unix sockets and the pidfile are removed at the end, always."),
    unneeded(
        "die-on-term",
        "TERM always stops the server, and requests that run are finished (graceful_timeout).",
    ),
    unneeded(
        "need-app",
        "A server whose application can not be loaded always ends, with exit code 3 or 4.",
    ),
    unneeded(
        "strict",
        "Unknown names in a config file are ignored; `rgunicorn doctor --strict` finds them.",
    ),
    unneeded(
        "thunder-lock thunder-lock-watchdog",
        "Workers share their connections without a lock.",
    ),
    unneeded("no-orphans", "Workers end when their master is gone, always."),
    unneeded(
        "auto-procname procname-append",
        "Processes are named if the package setproctitle is installed.",
    ),
    unneeded(
        "ignore-sigpipe ignore-write-errors disable-write-exception write-errors-tolerance "
        "write-errors-exception-only",
        "The application hands its response over and is not bothered by clients that leave.",
    ),
    unneeded("harakiri-verbose", "The stacks of all threads are always logged."),
    unneeded("py-call-osafterfork", "Python's own fork hooks always run."),
    unneeded("py-call-uwsgi-fork-hooks", "Python's own fork hooks always run."),
    unneeded(
        "gevent-monkey-patch gevent-early-monkey-patch gevent-wait-for-hub",
        "The gevent worker patches the standard library itself, in each worker.",
    ),
    unneeded(
        "plugin plugins need-plugin need-plugins plugins-dir plugin-dir autoload",
        "Python is built in, and there are no plugins. What a plugin of another name does is not "
        "here.",
    ),
    unneeded(
        "offload-threads offload-thread",
        "Slow clients never hold a worker: files and responses are sent without it.",
    ),
    unneeded("http-processes http-workers http-events http-cheap http-to http-quiet", "No router."),
    unneeded(
        "http-auto-chunked http-chunked-input http-raw-body wsgi-manage-chunked-input "
        "http-manage-expect chunked-input-limit",
        "Chunked bodies and `Expect: 100-continue` are handled, always.",
    ),
    unneeded(
        "http-modifier1 http-modifier2 http-socket-modifier1 http-socket-modifier2 "
        "https-socket-modifier1 https-socket-modifier2 fastcgi-modifier1 fastcgi-modifier2 "
        "scgi-modifier1 scgi-modifier2 raw-modifier1 raw-modifier2 allowed-modifiers "
        "remap-modifier",
        "Modifiers choose between uWSGI's plugins.",
    ),
    unneeded(
        "cheaper-algo cheaper-step cheaper-overload cheaper-idle", "See cheaper: other rules."
    ),
    unneeded("cheaper-busyness-*", "See cheaper: other rules."),
    unneeded(
        "min-worker-lifetime",
        "It keeps a limit of memory from reloading workers in a row; here they are replaced one at "
        "a time.",
    ),
    unneeded(
        "log-master threaded-logger log-master-bufsize log-master-stream log-master-req-stream",
        "Workers write whole lines themselves; nobody waits for the master.",
    ),
    unneeded(
        "log-date logdate log-prefix log-format-strftime logformat-strftime log-micros",
        "Lines of the error log have the time; for the access log it is the atom %(t)s.",
    ),
    unneeded(
        "log-reopen touch-logreopen",
        "USR1 makes all processes open their log files anew; no file has to be touched.",
    ),
    unneeded(
        "log-zero log-sendfile log-ioerror", "Every request that is logged is logged the same."
    ),
    unneeded("stats-http stats-min stats-minified", "The status pages speak HTTP."),
    unneeded("stats-no-cores stats-no-metrics", "It makes uWSGI's document smaller."),
    unneeded(
        "honour-range static-gzip-all static-gzip-ext static-gzip-suffix static-gzip",
        "`static_map` does so by itself.",
    ),
    unneeded("static-gzip-dir static-gzip-prefix", "`static_map` does so by itself."),
    unneeded("post-buffering-bufsize body-read-warning", "It tunes buffers that are not here."),
    unneeded("mule-msg-size mule-msg-recv-size", "It tunes mules."),
    unneeded("no-defer-accept tcp-nodelay", "TCP_NODELAY is always set."),
    unneeded(
        "honour-stdin skip-atexit skip-atexit-teardown", "It is about uWSGI's own start and end."
    ),
    unneeded(
        "skip-zero no-fd-passing close-on-exec close-on-exec2",
        "Descriptors of the server are closed in programs that the application starts.",
    ),
    unneeded(
        "locks lock-engine ftok persistent-ipcsem map-socket", "It is about uWSGI's own locks."
    ),
    unneeded("master-as-root", "The master stays as it was started, always."),
    unneeded("check-interval forkbomb-delay reaper", "Crash loops back off by themselves."),
    unneeded("max-apps no-default-app", "There is one application in a server."),
    unneeded(
        "wsgi-env-behaviour wsgi-env-behavior wsgi-strict start_response-nodelay reload-os-env",
        "Each request has an environ of its own, by the rules of WSGI.",
    ),
    unneeded(
        "wsgi-accept-buffer wsgi-accept-buffers",
        "Pieces of a response must be bytes, as WSGI has it.",
    ),
    unneeded(
        "pcre-jit never-swap binary-path py-executable py-sys-executable "
        "py-programname py-program-name",
        "It is about the program uWSGI itself.",
    ),
    unneeded("no-threads-wait", "Threads are waited for, up to graceful_timeout."),
    unneeded("memory-report", "`rgunicorn top` shows the memory of each worker."),
    unneeded("propagate-touch", "All processes learn of a reload."),
    unneeded(
        "mode no-site get show-config dump-options print iprint version help usage "
        "plugins-list loop-list",
        "It is about uWSGI's own command line.",
    ),
    unneeded("no-initgroups", "Supplementary groups stay as they are, unless `initgroups` is set."),
    unneeded("stats-push", "Metrics are fetched from `/metrics`, or pushed by `statsd_host`."),
    unneeded(
        "metric enable-metrics metrics-dir metrics-dir-restore metric-dir metric-dir-restore "
        "metrics-no-cores",
        "Metrics are at `/metrics` with `status_bind`, always.",
    ),
    unneeded("fallback-config", "A reload that fails leaves the old configuration at work."),
    unneeded("paste-logger", "A `[loggers]` section of the PasteDeploy file is used anyway."),
    unneeded("shutdown-sockets", "Listeners are closed when the server stops, always."),
    unneeded("mem-collector-freq", "Memory is looked at once a second."),
    unneeded(
        "early-python py-master-check-signals use-abort backtrace-depth clock force-gateway "
        "safe-fd "
        "fd-safe disable-async-warn-on-queue-full",
        "It tunes the inside of uWSGI.",
    ),
    unneeded(
        "stop reload pause suspend resume ping ping-timeout no-server command-mode extract "
        "connect-and-read cflags config-py dot-h build-plugin binary-append-data print-sym "
        "print-symbol python-version alarms-list cheaper-algo-list cheaper-algos-list cheaper-list "
        "clock-list clocks-list imperial-monitor-list imperial-monitors-list loggers-list "
        "loops-list plugin-list router-list routers-list",
        "It is a command of uWSGI's own.",
    ),
)
