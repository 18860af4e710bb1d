"""Options for what uWSGI does beside serving, and what people use for that."""

from __future__ import annotations

from rgunicorn.uwsgi_import.row import Row, elsewhere

_SERVER = "A server of requests starts and keeps no other programs."
_UNIT = "systemd, supervisor, or a container of its own"
_SANDBOX = "The process manager puts a process into its box."

ROWS: tuple[Row, ...] = (
    elsewhere(
        "home virtualenv venv pyhome",
        "A server runs in the environment that it is installed in.",
        "install rgunicorn in that environment and start its own `bin/rgunicorn`",
    ),
    elsewhere(
        "emperor vassals-* vassal-* emperor-* early-emperor zeus heartbeat",
        "One server serves one application; nothing here watches a directory.",
        "a systemd template unit, one instance for each application (docs/deploy/systemd.md)",
    ),
    elsewhere(
        "spooler spooler-*",
        "There is no queue of tasks, and no module uwsgi to fill one.",
        "Celery, RQ, Dramatiq or Huey",
    ),
    elsewhere(
        "mule mules mule-* farm",
        "There are no processes beside the workers.",
        f"a program of its own, kept by {_UNIT}",
    ),
    elsewhere(
        "cron cron2 unique-cron cron-* curl-cron curl-cron-* legion-cron unique-legion-cron "
        "unique-cron-legion",
        "There is no timetable.",
        "cron, a systemd timer, a Kubernetes CronJob, or Celery beat",
    ),
    elsewhere(
        "timer rbtimer signal-* signal signals-bufsize",
        "There are no signals or timers of uWSGI.",
        "a systemd timer or Celery beat",
    ),
    elsewhere(
        "cache cache2 cache-* add-cache-item load-file-in-cache load-file-in-cache-gzip "
        "check-cache",
        "There is no cache in the server.",
        "Redis or memcached, by the cache of your framework",
    ),
    elsewhere(
        "queue queue-* sharedarea py-sharedarea",
        "There is no memory to share between workers.",
        "Redis, or a database",
    ),
    elsewhere(
        "route route-* final-route final-route-* error-route error-route-* response-route "
        "response-route-*",
        "There is no router of requests inside.",
        "nginx's `location`, `rewrite` and `return`, or a middleware",
    ),
    elsewhere(
        "add-header rem-header del-header collect-header response-header-collect pull-header",
        "Headers of responses are the application's.",
        "nginx's `add_header`, or a middleware",
    ),
    elsewhere("error-page-*", "Responses are the application's.", "nginx's `error_page`"),
    elsewhere(
        "attach-daemon attach-daemon2 attach-control-daemon smart-attach-daemon "
        "smart-attach-daemon2 legion-attach-daemon legion-smart-attach-daemon daemons-honour-stdin",
        _SERVER,
        _UNIT,
    ),
    elsewhere(
        "hook-*",
        "The config file is Python, so hooks are functions in it.",
        "`on_starting`, `when_ready`, `post_fork`, `worker_exit`, and others of docs/settings.md",
    ),
    elsewhere(
        "exec-* call-* touch-exec binsh",
        "Nothing is run from the configuration.",
        "ExecStartPre= and ExecStartPost= of systemd, or the hooks `on_starting` and `post_fork`",
    ),
    elsewhere(
        "import pyimport py-import python-import shared-import shared-pyimport shared-py-import "
        "shared-python-import early-pyimport early-python-import",
        "Only the application is imported.",
        "import it in the application, or in the hook `post_fork`",
    ),
    elsewhere(
        "python py pyrun python-worker-override worker-exec worker-exec2",
        _SERVER,
        _UNIT,
    ),
    elsewhere(
        "http-to-https",
        "Nothing is redirected here.",
        "nginx's `return 301 https://...`, or a middleware (SECURE_SSL_REDIRECT in Django)",
    ),
    elsewhere(
        "fastrouter fastrouter-* rawrouter rawrouter-* sslrouter sslrouter-* subscribe-to "
        "subscribe subscribe2 subscription-* http-subscription-* zerg zerg-* http-use-* "
        "http-fallback http-zerg http-resubscribe http-gracetime sslrouter2 forkptyrouter "
        "forkptyrouter-* forkptyurouter forkpty-* tuntap-* zergpool st subscriptions-* "
        "subscribe-freq "
        "subscribe-with-modifier1 start-unsubscribed unsubscribe-on-graceful-reload weight "
        "auto-weight",
        "There is no router in front of other servers.",
        "nginx, HAProxy or Traefik",
    ),
    elsewhere(
        "limit-post",
        "Bodies have no largest size here.",
        "nginx's `client_max_body_size`, or your framework's limit",
    ),
    elsewhere(
        "log-maxsize log-backupname touch-logrotate log-truncate",
        "Log files are not rotated by the server.",
        "logrotate with `kill -USR1` of the master",
    ),
    elsewhere(
        "log-socket rsyslog-* log-encoder log-req-encoder worker-log-encoder "
        "worker-log-req-encoder log-route log-req-route "
        "log-filter log-drain logger-list worker-logger worker-logger-req",
        "There is an error log and an access log, in a file, a stream or syslog.",
        'what collects your logs; `access_log_format = "json"` makes that easy',
    ),
    elsewhere(
        "logfile-chown logfile-chmod",
        "Log files belong to `user` and `group`.",
        "the directory's permissions, or logrotate's `create`",
    ),
    elsewhere(
        "alarm alarm-* not-alarm-log log-alarm not-log-alarm lq-alarm backlog-alarm segfault-alarm "
        "listen-queue-alarm metric-alarm metric-threshold",
        "Nothing is sent from here.",
        "alert rules on `/metrics`",
    ),
    elsewhere(
        "carbon carbon-* statsd-* snmp snmp-community stats-pusher-default-freq "
        "stats-pushers-default-freq",
        "Metrics go to Prometheus or statsd.",
        "`status_bind` and its `/metrics`, or `statsd_host`",
    ),
    elsewhere("limit-as", _SANDBOX, "MemoryMax= of systemd, the container's limit, or `max_rss`"),
    elsewhere("limit-nproc", _SANDBOX, "LimitNPROC= of systemd"),
    elsewhere("max-fd", _SANDBOX, "LimitNOFILE= of systemd, or `ulimit -n`"),
    elsewhere("prio", _SANDBOX, "Nice= of systemd"),
    elsewhere("cpu-affinity", _SANDBOX, "CPUAffinity= of systemd, or `taskset`"),
    elsewhere(
        "chroot pivot-root pivot_root cgroup cgroup-* namespace namespace-* ns ns-net unshare "
        "unshare2 setns setns-* cap jail jail2 jail-* jailed libjail refork refork-* re-fork "
        "re-fork-* jidfile jid-file "
        "privileged-binary-patch privileged-binary-patch-arg unprivileged-binary-patch "
        "unprivileged-binary-patch-arg "
        "drop-after-init drop-after-apps",
        _SANDBOX,
        "RootDirectory=, PrivateTmp=, CapabilityBoundingSet= of systemd, or a container",
    ),
    elsewhere(
        "immediate-uid immediate-gid add-gid",
        "Only workers change their user.",
        "User=, Group= and SupplementaryGroups= of systemd",
    ),
    elsewhere("envdir early-envdir", "No directory is read.", "EnvironmentFile= of systemd"),
    elsewhere("unenv", "Nothing is taken out of the environment.", "UnsetEnvironment= of systemd"),
    elsewhere(
        "wait-for-* wait-interface wait-interface-* wait-iface wait-iface-*",
        "Nothing is waited for.",
        "After= and Requires= of systemd",
    ),
    elsewhere(
        "mount-* umount-* check-mountpoint mountpoint-check check-mount mount-check",
        "File systems are not mounted here.",
        "mount units of systemd",
    ),
    elsewhere(
        "websockets-* websocket-* http-websockets",
        "WSGI has no WebSockets.",
        'worker_class = "asgi" for an ASGI application, or gevent with a WebSocket handler',
    ),
    elsewhere("optimize", "It is an option of Python.", "PYTHONOPTIMIZE in the environment"),
    elsewhere(
        "sni sni-dir sni-dir-ciphers sni-regexp",
        "There is one certificate.",
        "nginx in front, or the hook `ssl_context`",
    ),
    elsewhere(
        "ssl-option ssl-enable3 ssl-enable-sslv3 ssl-enable-tlsv1 ssl-verify-depth "
        "ssl-sessions-use-cache ssl-session-use-cache ssl-sessions-timeout ssl-session-timeout "
        "ssl-verbose ssl-tmp-dir https-export-cert https-session-context https2",
        "TLS is Python's, with its safe defaults.",
        "`ciphers`, `cert_reqs`, or the hook `ssl_context`",
    ),
    elsewhere(
        "check-static-docroot",
        "No header chooses a directory.",
        "`static_map` with the directory",
    ),
    elsewhere(
        "vhost vhost-host",
        "One server serves one application.",
        "nginx's `server_name`, with a server for each",
    ),
)
