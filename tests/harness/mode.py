"""The ways a server under test can work and listen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

THREADS = 4
KEEPALIVE = 30
"""Seconds: longer than a `Wire` waits, so that no connection that should be closed passes a test by
its becoming idle."""


@dataclass(frozen=True)
class Mode:
    """A worker class and a transport."""

    worker: str = "sync"
    """`sync` or `gthread`; `gevent` where `RGUNICORN_MODES` says so."""
    transport: str = "tcp"
    """`tcp`, `unix`, or `tls` for TLS on TCP, which only `tests/tls` uses."""

    def __str__(self) -> str:
        return f"{self.worker}-{self.transport}"

    @property
    def settings(self) -> dict[str, object]:
        """What a configuration must hold for it. The address is the server's own affair."""
        from .certificates import certificates

        settings = certificates().server if self.transport == "tls" else {}
        if self.worker == "sync":
            return settings
        threads = {"threads": THREADS} if self.worker == "gthread" else {}
        return settings | {"worker_class": self.worker, **threads, "keepalive": KEEPALIVE}

    @property
    def args(self) -> list[str]:
        """The same for a command line."""
        if self.worker == "sync":
            return []
        return [
            *("--worker-class", self.worker, "--threads", str(THREADS)),
            *("--keep-alive", str(KEEPALIVE)),
        ]

    @property
    def keeps_alive(self) -> bool:
        """Whether connections stay open for the next request unless a setting says otherwise."""
        return self.worker != "sync"

    @property
    def keep_alive(self) -> dict[str, object]:
        """The settings that make connections stay open."""
        return {} if self.keeps_alive else {"sync_keepalive": True, "keepalive": KEEPALIVE}

    def fits(self, words: Sequence[str]) -> bool:
        """Whether it is what `words` (`"gthread"`, `"unix"`, both, none) ask for."""
        unknown = set(words) - {"sync", "gthread", "gevent", "tcp", "unix", "tls"}
        assert not unknown, f"no worker and no transport: {unknown}"
        mine = {self.worker, self.transport}
        return set(words) <= mine | ({"tcp"} if self.transport == "tls" else set())


DEFAULT = Mode()
"""What a server is started in by a test that is not about modes."""

_WORKERS = os.environ.get("RGUNICORN_MODES", "sync gthread").split()
MODES = [Mode(worker, transport) for worker in _WORKERS for transport in ("tcp", "unix")]
"""`RGUNICORN_MODES=gevent` runs a suite in that worker class; the interpreter of the server under
test needs the package then."""

TLS_MODES = [Mode(worker, "tls") for worker in _WORKERS]
