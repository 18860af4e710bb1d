"""The facts about settings without effect name settings that exist, and each is said once."""

from __future__ import annotations

import pytest

from rgunicorn.config import KNOWN_SETTINGS, Config
from rgunicorn.settings import effects
from rgunicorn.workers import SUPPORTED_WORKERS

BY_NAME = {setting.name: setting for setting in KNOWN_SETTINGS}


def test_they_name_settings() -> None:
    named = {*effects.NEEDS, *effects.FOR_WORKERS, *effects.DEPRECATED}
    named |= {other for needs in effects.NEEDS.values() for other in needs}
    assert named <= set(BY_NAME), named - set(BY_NAME)
    assert {k for kinds in effects.FOR_WORKERS.values() for k in kinds} <= set(SUPPORTED_WORKERS)


@pytest.mark.parametrize("name", effects.NEEDS)
def test_what_is_refused_says_the_same(name: str) -> None:
    """While a feature is not built its switches stand in `Unbuilt`, for the refusal."""
    unbuilt = BY_NAME[name].unbuilt
    if unbuilt is not None and unbuilt.switches:
        assert unbuilt.switches == effects.NEEDS[name]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, "sync"),
        ({"threads": 2}, "gthread"),
        ({"worker_class": "gthread"}, "gthread"),
        ({"worker_class": "gevent"}, "gevent"),
        ({"worker_class": "gunicorn.workers.gthread.ThreadWorker"}, "gthread"),
        ({"worker_class": "rgunicorn.workers.sync.SyncWorker"}, "sync"),
        ({"worker_class": "uvicorn.workers.UvicornWorker"}, None),
    ],
)
def test_kind_of_worker(given: dict[str, object], kind: str | None) -> None:
    cfg = Config(prog="x")
    for name, value in given.items():
        cfg.set(name, value)
    assert effects.kind_of_worker(cfg) == kind


@pytest.mark.parametrize("name", ["max_queue", "max_queue_time"])
def test_where_everything_runs_at_once_nobody_waits(name: str) -> None:
    for kind in ("sync", "gthread", "gevent", "tornado", "asgi"):
        cfg = Config(prog="x")
        cfg.set("worker_class", kind)
        cfg.set(name, 5)
        has_none = effects.without_effect(cfg, name)
        assert (has_none is None) == (kind in ("sync", "gthread")), (kind, has_none)
