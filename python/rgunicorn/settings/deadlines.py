"""Settings of ours for requests that take too long."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_duration


class RequestTimeout(Setting):
    name = "request_timeout"
    section = "rgunicorn"
    cli = ["--request-timeout"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        How long the application may take for one request. 0 is no limit.

        Past it the client is answered with 504 if nothing was sent, and cut off otherwise; the
        error log names the request and has the stacks of all threads; the worker is replaced, and
        its other requests are finished first. The application can move the deadline of its own
        request: `environ["rgunicorn.deadline"](seconds)` puts it so many seconds from now, 0 takes
        it away. What it says afterwards reaches nobody.

        For the workers `sync`, `gthread`, `gevent` and `tornado`. In a sync worker `timeout` ends
        the whole worker, so it has to be longer. Over TLS a client is cut off instead where code
        in C keeps the GIL, or blocks the loop of `gevent` or `tornado`.

        Written as `client_header_timeout`.
        """


class LogSlow(Setting):
    name = "log_slow"
    section = "rgunicorn"
    cli = ["--log-slow"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        Requests in the application for longer than this leave a warning in the error log.

        One line with method, path and age, while the request still runs. With `request_timeout` a
        sample of all stacks follows when half of that is over. 0 is off.

        For the same workers as `request_timeout`.

        Written as `client_header_timeout`.
        """
