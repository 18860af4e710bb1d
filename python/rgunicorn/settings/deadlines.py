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
        How long the application may take for one request, with any worker class.

        Past it the client is answered with 504 if nothing was sent, the error log has the stack of
        the thread, and the worker is replaced; its other requests are finished first. The
        application can move the deadline of its own request:
        `environ["rgunicorn.deadline"](seconds)`. 0 is no limit.

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
        sample of its stack follows when half of that is over. 0 is off.

        Written as `client_header_timeout`.
        """
