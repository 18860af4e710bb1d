"""Settings of ours for more requests than the server can answer."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import validate_duration, validate_pos_int

_UNBUILT = Unbuilt("the limit of the queue", "limit the connections in the proxy in front")


class MaxQueue(Setting):
    name = "max_queue"
    section = "rgunicorn"
    cli = ["--max-queue"]
    meta = "INT"
    validator = validate_pos_int
    default = 0
    unbuilt = _UNBUILT
    desc = """\
        How many requests may wait for a free thread; past it 503 with `Retry-After`.

        Counted over all workers. 0 is no limit.
        """


class MaxQueueTime(Setting):
    name = "max_queue_time"
    section = "rgunicorn"
    cli = ["--max-queue-time"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    unbuilt = _UNBUILT
    desc = """\
        How long a request may wait for a free thread; past it 503 with `Retry-After`.

        Counted from `X-Request-Start` where a trusted proxy has sent it, else from the arrival of
        the request. 0 is no limit.

        Written as `client_header_timeout`.
        """
