"""Settings of ours for more requests than the server can answer."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_duration, validate_pos_int


class MaxQueue(Setting):
    name = "max_queue"
    section = "rgunicorn"
    cli = ["--max-queue"]
    meta = "INT"
    validator = validate_pos_int
    default = 0
    desc = """\
        How many requests may wait for a free thread; past it 503 with `Retry-After`.

        Counted over all workers; a few more may wait for a moment. Who comes when so many wait
        already is answered at once, without the application. `Retry-After` is `max_queue_time` in
        whole seconds, rounded up, and at least 1. 0 is no limit.

        With this or `max_queue_time`, a waiting request is not run if its client has left: the
        access log has it with status 499. As in most proxies, a client that has ended its side of
        the connection counts as one that has left.
        """


class MaxQueueTime(Setting):
    name = "max_queue_time"
    section = "rgunicorn"
    cli = ["--max-queue-time"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        How long a request may wait for a free thread; past it 503 with `Retry-After`.

        Counted from `X-Request-Start` where a peer of `forwarded_allow_ips` has sent it (seconds,
        milliseconds or microseconds since 1970, with or without `t=`), else from when the request
        was complete. Time that a client needs to send a body does not count. 0 is no limit.

        `Retry-After`, and what becomes of clients that left: see `max_queue`.

        Written as `client_header_timeout`.
        """
