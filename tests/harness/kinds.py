"""The worker classes a scenario has to hold for, and how each is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

# Longer than any test: an idle connection is never closed for its age.
KEEPALIVE = 300


@dataclass(frozen=True)
class Kind:
    """A worker class with settings."""

    name: str
    settings: Mapping[str, object]
    keeps_alive: bool

    def __str__(self) -> str:
        return self.name


SYNC = Kind("sync", {"worker_class": "sync"}, False)
SYNC_KEPT = Kind(
    "sync_keepalive",
    {"worker_class": "sync", "sync_keepalive": True, "keepalive": KEEPALIVE},
    True,
)
GTHREAD = Kind("gthread", {"worker_class": "gthread", "keepalive": KEEPALIVE}, True)

ALL = (SYNC, SYNC_KEPT, GTHREAD)
KEPT = (SYNC_KEPT, GTHREAD)

# For tests that hold for Gunicorn as well.
KEPT_AND_GUNICORN = (pytest.param(SYNC_KEPT, marks=pytest.mark.ours("sync_keepalive")), GTHREAD)
ALL_AND_GUNICORN = (SYNC, *KEPT_AND_GUNICORN)

# What has storms to weather; `RGUNICORN_MODES=gevent` as in mode.py.
_OTHERS = [
    Kind(worker, {"worker_class": worker, "keepalive": KEEPALIVE}, True)
    for worker in os.environ.get("RGUNICORN_MODES", "sync gthread").split()
    if worker not in ("sync", "gthread")
]
STORMY = tuple(_OTHERS) or (SYNC, GTHREAD)
STORMY_AND_KEPT = tuple(_OTHERS) or ALL_AND_GUNICORN
