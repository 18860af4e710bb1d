"""Access log, error log, syslog and StatsD."""

from __future__ import annotations

import sys

from rgunicorn import util
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import (
    validate_bool,
    validate_class,
    validate_dict,
    validate_string,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SYSLOG_OF_PLATFORM = {
    "darwin": "unix:///var/run/syslog",
    "freebsd": "unix:///var/run/log",
    "dragonfly": "unix:///var/run/log",
    "openbsd": "unix:///dev/log",
}


def validate_statsd_address(val: Any) -> Any:
    """`host[:port]` or `unix://PATH`, as `util.parse_address` returns them."""
    address = validate_string(val)
    if address is None:
        return None
    # A host that is called "unix": older releases read its port here.
    if address.startswith("unix:") and address[5:].isdigit():
        return "unix", int(address[5:])
    try:
        return util.parse_address(address, default_port="8125")
    except RuntimeError:
        raise TypeError("Value must be one of ('host:port', 'unix://PATH')") from None


class AccessLog(Setting):
    name = "accesslog"
    section = "Logging"
    cli = ["--access-logfile"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        Where requests are logged: a file, or `-` for stdout; not at all if not set.
        """


class DisableRedirectAccessToSyslog(Setting):
    name = "disable_redirect_access_to_syslog"
    section = "Logging"
    cli = ["--disable-redirect-access-to-syslog"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        With `syslog`, send only the error log there.
        """


class AccessLogFormat(Setting):
    name = "access_log_format"
    section = "Logging"
    cli = ["--access-logformat"]
    meta = "STRING"
    validator = validate_string
    default = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
    desc = """\
        What a line of the access log looks like.

        A format of atoms such as `%(h)s`, or `json`, or `logfmt`. `json` is one object a line,
        `logfmt` the same as `name=value`: `time` (UTC), `remote_addr`, `user`, `method`, `path` and
        `query` (as sent), `protocol`, `status`, `bytes`, `duration` and `queue_time` (seconds),
        `referer`, `user_agent`, `request_id`, `trace_id`, `span_id` and `trace_flags` (of a valid
        `traceparent`), `pid`, `slot`. What is missing has no name. Lines are ASCII, and nothing
        that a client sends can end a value.

        | atom | stands for |
        |---|---|
        | `h` | address of the peer |
        | `l` | `-` |
        | `u` | user name of Basic authentication |
        | `t` | local time of the request |
        | `r` | request line |
        | `m` | method |
        | `U` | path, decoded |
        | `q` | query string |
        | `H` | protocol |
        | `s` | status code |
        | `B` | length of the body in bytes |
        | `b` | the same as text |
        | `f` | Referer |
        | `a` | User-Agent |
        | `T`, `M`, `D` | duration in whole seconds, milliseconds, microseconds |
        | `L` | duration in seconds with six decimals |
        | `p` | process id |
        | `slot` | number of the worker, from 0 |
        | `queue_time` | seconds that the request waited before, with six decimals |
        | `request_id` | name of the request (`request_id_header`) |
        | `traceparent` | W3C trace context, if it is valid |
        | `{name}i`, `{name}o`, `{name}e` | request header, response header, environ variable |

        What is missing shows as `-`; quotes in values are escaped with a backslash.
        """


class ErrorLog(Setting):
    name = "errorlog"
    section = "Logging"
    cli = ["--error-logfile", "--log-file"]
    meta = "FILE"
    validator = validate_string
    default = "-"
    desc = """\
        Where the server itself logs: a file, or `-` for stderr.
        """


class Loglevel(Setting):
    name = "loglevel"
    section = "Logging"
    cli = ["--log-level"]
    meta = "LEVEL"
    validator = validate_string
    default = "info"
    desc = """\
        What the error log takes: `debug`, `info`, `warning`, `error` or `critical` and above.

        Other words mean `info`.
        """


class CaptureOutput(Setting):
    name = "capture_output"
    section = "Logging"
    cli = ["--capture-output"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Let stdout and stderr of all processes go to the `errorlog` file.
        """


class LoggerClass(Setting):
    name = "logger_class"
    section = "Logging"
    cli = ["--logger-class"]
    meta = "STRING"
    validator = validate_class
    default = "gunicorn.glogging.Logger"
    desc = """\
        The class that writes both logs.

        The dotted name of a subclass of `gunicorn.glogging.Logger`, or the class itself in a
        config file. Under rgunicorn the default name leads to its own class of that name.
        """


class LogConfig(Setting):
    name = "logconfig"
    section = "Logging"
    cli = ["--log-config"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        An INI file for `logging.config.fileConfig`.

        The server's loggers are `gunicorn.error` and `gunicorn.access`. `logconfig_dict` comes
        before `logconfig_json`, and that before this one.
        """


class LogConfigDict(Setting):
    name = "logconfig_dict"
    section = "Logging"
    validator = validate_dict
    default = {}
    desc = """\
        A dict for `logging.config.dictConfig`.

        Its keys replace those of `gunicorn.glogging.CONFIG_DEFAULTS`.
        """


class LogConfigJson(Setting):
    name = "logconfig_json"
    section = "Logging"
    cli = ["--log-config-json"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        A JSON file with a dict as `logconfig_dict` takes; no error if there is no such file.
        """


class SyslogTo(Setting):
    name = "syslog_addr"
    section = "Logging"
    cli = ["--log-syslog-to"]
    meta = "SYSLOG_ADDR"
    validator = validate_string
    default = _SYSLOG_OF_PLATFORM.get(sys.platform.rstrip("0123456789"), "udp://localhost:514")
    default_doc = "`'udp://localhost:514'` on Linux, the system's own socket on macOS and BSD"
    desc = """\
        Where syslog listens: `udp://HOST:PORT`, `tcp://HOST:PORT` or `unix://PATH`.

        `unix://PATH#dgram` takes datagrams instead of a stream.
        """


class Syslog(Setting):
    name = "syslog"
    section = "Logging"
    cli = ["--log-syslog"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Send logs to syslog.

        The access log goes there too, unless `disable_redirect_access_to_syslog` is on.
        """


class SyslogPrefix(Setting):
    name = "syslog_prefix"
    section = "Logging"
    cli = ["--log-syslog-prefix"]
    meta = "SYSLOG_PREFIX"
    validator = validate_string
    desc = """\
        Program name in syslog: `gunicorn.PREFIX.error`; the process name if not set.
        """


class SyslogFacility(Setting):
    name = "syslog_facility"
    section = "Logging"
    cli = ["--log-syslog-facility"]
    meta = "SYSLOG_FACILITY"
    validator = validate_string
    default = "user"
    desc = """\
        Syslog facility, as `daemon` or `local0`.
        """


class EnableStdioInheritance(Setting):
    name = "enable_stdio_inheritance"
    section = "Logging"
    cli = ["-R", "--enable-stdio-inheritance"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        With `daemon`, keep stdout and stderr that are files or pipes.

        What the application prints is buffered by Python there; `PYTHONUNBUFFERED=1` shows it
        at once.
        """


class StatsdHost(Setting):
    name = "statsd_host"
    section = "Logging"
    cli = ["--statsd-host"]
    meta = "STATSD_ADDR"
    validator = validate_statsd_address
    desc = """\
        StatsD server to send metrics to, as `HOST:PORT` or `unix://PATH` (datagrams).

        With the default `logger_class`; a class of your own derives from
        `gunicorn.instrument.statsd.Statsd`. Metrics that the server does not take at once are
        lost: no request waits for them.
        """


class DogstatsdTags(Setting):
    name = "dogstatsd_tags"
    section = "Logging"
    cli = ["--dogstatsd-tags"]
    meta = "DOGSTATSD_TAGS"
    validator = validate_string
    default = ""
    desc = """\
        Tags to add to each metric, separated by commas (Datadog's dialect).
        """


class StatsdPrefix(Setting):
    name = "statsd_prefix"
    section = "Logging"
    cli = ["--statsd-prefix"]
    meta = "STATSD_PREFIX"
    validator = validate_string
    default = ""
    desc = """\
        What the names of metrics begin with; a dot is added.
        """


class BacklogMetric(Setting):
    name = "enable_backlog_metric"
    section = "Logging"
    cli = ["--enable-backlog-metric"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Also say each second how many connections wait to be accepted, on Linux over TCP.

        As the StatsD histogram `gunicorn.backlog`, and in the error log at level debug.
        """
