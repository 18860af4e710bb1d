"""`Statsd`: the logger that also counts, for a StatsD or DogStatsD server (`statsd_host`).

Each metric is a datagram of its own. Nobody waits for it: what the server does not take at once is
lost, and a line in the error log says how much was.
"""

from __future__ import annotations

import datetime
import logging
import socket
import time
from collections.abc import Mapping
from typing import Any

from rgunicorn.glogging import Logger

# What a log call's `extra` holds to send a metric: its name, its value, and its type as below.
METRIC_VAR = "metric"
VALUE_VAR = "value"
MTYPE_VAR = "mtype"

GAUGE_TYPE = "gauge"
COUNTER_TYPE = "counter"
HISTOGRAM_TYPE = "histogram"
TIMER_TYPE = "timer"

_MILLISECOND = datetime.timedelta(milliseconds=1)

# A server that is gone is worth a line now and then, not one for each request.
_SECONDS_BETWEEN_COMPLAINTS = 60


class Statsd(Logger):
    """A `Logger` that sends metrics about workers, requests and log lines.

    A call of `info`, `debug` or `log` with `extra={"metric": …, "value": …, "mtype": …}` sends that
    metric, whatever the log level; with an empty message it is no log line.

    Args:
        cfg: as for `Logger`, and `statsd_host`, `statsd_prefix` and `dogstatsd_tags`.

    Raises:
        RuntimeError: as for `Logger`. A server that can not be reached is a warning.
    """

    def __init__(self, cfg: Any) -> None:
        self.prefix = ""
        self.dogstatsd_tags = ""
        self.sock: socket.socket | None = None
        self._aimed_at: Any = None
        self._address: Any = None
        self._lost = 0
        self._complaint_due = 0.0
        super().__init__(cfg)
        # A subclass's `setup` need not have called ours.
        if self._aimed_at is not cfg:
            self._aim(cfg)

    def setup(self, cfg: Any) -> None:
        """As `Logger.setup`; then metrics go where `cfg` says."""
        super().setup(cfg)
        self._aim(cfg)

    def critical(self, msg: object, *args: object, **kwargs: Any) -> None:
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: object, **kwargs: Any) -> None:
        extra = kwargs.get("extra")
        if isinstance(extra, Mapping):
            self._send_metric_of(extra)
        if msg:
            super().log(lvl, msg, *args, **kwargs)

    def access(
        self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: datetime.timedelta
    ) -> None:
        """Writes the access line if there is an access log, and counts the request in any case."""
        super().access(resp, req, environ, request_time)
        self.timer("gunicorn.request.duration", request_time / _MILLISECOND)
        self.increment("gunicorn.requests", 1)
        status = resp.status.decode("latin-1") if isinstance(resp.status, bytes) else resp.status
        self.increment(f"gunicorn.request.status.{str(status)[:3]}", 1)

    def gauge(self, name: str, value: object) -> None:
        """Sends a value as it is now."""
        self._sock_send(f"{self.prefix}{name}:{value}|g")

    def increment(self, name: str, value: object, sampling_rate: float = 1.0) -> None:
        """Sends that something happened `value` times more."""
        self._sock_send(f"{self.prefix}{name}:{value}|c|@{sampling_rate}")

    def decrement(self, name: str, value: object, sampling_rate: float = 1.0) -> None:
        """Sends that a counter goes down by `value`."""
        self._sock_send(f"{self.prefix}{name}:-{value}|c|@{sampling_rate}")

    def timer(self, name: str, value: object) -> None:
        """Sends how long something took, in milliseconds."""
        self._sock_send(f"{self.prefix}{name}:{value}|ms")

    def histogram(self, name: str, value: object) -> None:
        """Sends one value of a distribution."""
        self._sock_send(f"{self.prefix}{name}:{value}|h")

    def _send_metric_of(self, extra: Mapping[str, Any]) -> None:
        name, value, kind = (extra.get(key) for key in (METRIC_VAR, VALUE_VAR, MTYPE_VAR))
        if name is None or value is None:
            return
        if kind == GAUGE_TYPE:
            self.gauge(name, value)
        elif kind == COUNTER_TYPE:
            self.increment(name, value)
        elif kind == HISTOGRAM_TYPE:
            self.histogram(name, value)
        elif kind == TIMER_TYPE:
            self.timer(name, value)

    def _sock_send(self, msg: str | bytes) -> None:
        """Sends one metric, with the tags. Never waits, never raises for a server that is gone."""
        data = msg.encode(errors="replace") if isinstance(msg, str) else msg
        if self.dogstatsd_tags:
            data += b"|#" + self.dogstatsd_tags.encode(errors="replace")
        try:
            self._send(data)
        except OSError as exc:
            self._lost += 1
            self._complain(exc)

    def _send(self, data: bytes) -> None:
        if not isinstance(self._address, str):
            # A name that was not found is looked up again by a reload: that may take long.
            if self.sock is not None:
                self.sock.send(data)
            return
        # A socket on a path is gone with the process that made it, and another takes its place.
        if self.sock is not None:
            try:
                self.sock.send(data)
                return
            except (ConnectionError, FileNotFoundError):
                self.sock.close()
                self.sock = None
        self.sock = _connected(self._address)
        self.sock.send(data)

    def _aim(self, cfg: Any) -> None:
        self._aimed_at = cfg
        self._address = cfg.statsd_host
        self.dogstatsd_tags = cfg.dogstatsd_tags or ""
        prefix = (cfg.statsd_prefix or "").rstrip(".")
        self.prefix = f"{prefix}." if prefix else ""
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self._complaint_due = 0.0
        if self._address is None:
            return
        try:
            self.sock = _connected(self._address)
        except OSError as exc:
            self._complain(exc)

    def _complain(self, exc: OSError) -> None:
        now = time.monotonic()
        if now < self._complaint_due:
            return
        self._complaint_due = now + _SECONDS_BETWEEN_COMPLAINTS
        lost, self._lost = self._lost, 0
        # Not our own `warning`, which would want to send a metric about it.
        super().warning(
            "Can't send metrics to statsd_host = %r: %s (lost so far: %d)", self._address, exc, lost
        )


def _connected(address: Any) -> socket.socket:
    """A datagram socket that talks to `address`: `(host, port)` or a path. Never blocks.

    Raises:
        OSError: the name is unknown, or nobody listens on the path.
    """
    if isinstance(address, str):
        places: list[tuple[int, Any]] = [(socket.AF_UNIX, address)]
    elif isinstance(address, tuple):
        host, port = address
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        places = [(family, where) for family, _, _, _, where in found]
    else:
        raise OSError("neither HOST:PORT nor unix://PATH")
    failure: OSError | None = None
    for family, where in places:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.connect(where)
            return sock
        except OSError as exc:
            sock.close()
            failure = exc
    raise failure or OSError("no address")
