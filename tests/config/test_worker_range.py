"""`min_workers`, `workers` and `max_workers` have to fit together, and the worker has to tell."""

from __future__ import annotations

from typing import Any

import pytest

from config.command_line import CommandLine
from rgunicorn.config import Config, refuse_conflicts, refuse_unbuilt
from rgunicorn.cpus import Auto
from rgunicorn.errors import ConfigError
from rgunicorn.http.wsgi import base_environ
from rgunicorn.workers.base import Worker
from rgunicorn.workers.base_async import AsyncWorker
from rgunicorn.workers.gthread import ThreadWorker
from rgunicorn.workers.sync import SyncWorker


def configured(**values: Any) -> Config:
    cfg = Config()
    for name, value in values.items():
        cfg.set(name, value)
    return cfg


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"min_workers": 2, "max_workers": 8},
        {"min_workers": 2, "max_workers": 2},
        {"min_workers": 2, "max_workers": 8, "workers": 2},
        {"min_workers": 2, "max_workers": 8, "workers": 8},
        # A default is nobody's wish, and `auto` is no number of somebody's.
        {"min_workers": 2, "max_workers": 8, "workers": 1},
        {"min_workers": 200, "max_workers": 8000, "workers": "auto"},
        {"min_workers": "2", "max_workers": "0x10", "threads": 4},
    ],
    ids=str,
)
def test_what_fits(values: dict[str, Any]) -> None:
    cfg = configured(**values)
    refuse_conflicts(cfg)
    refuse_unbuilt(cfg)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"min_workers": 2}, "min_workers = 2 has no max_workers: set both, or none "),
        ({"max_workers": 9}, "max_workers = 9 has no min_workers: set both, or none "),
        (
            {"min_workers": 9, "max_workers": 3},
            "min_workers = 9 is more than max_workers = 3: they are ",
        ),
        (
            {"min_workers": 2, "max_workers": 8, "workers": 9},
            "workers = 9 is not from min_workers = 2 to max_workers = 8: set workers to ",
        ),
        (
            {"min_workers": 3, "max_workers": 8, "workers": 2},
            "workers = 2 is not from min_workers = 3 to max_workers = 8: set workers to ",
        ),
    ],
    ids=str,
)
def test_what_does_not(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        refuse_conflicts(configured(**values))
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith(".")


def test_it_is_said_at_the_start(ours: CommandLine) -> None:
    done = ours("--check-config", "--min-workers=2", "app")
    assert done.returncode == 1
    assert done.stderr.startswith("\nError: min_workers = 2 has no max_workers: ")


def test_who_tells_how_busy_it_is() -> None:
    cfg = configured(min_workers=1, max_workers=4)
    for native in (SyncWorker, ThreadWorker):
        assert native.refusals(cfg) == []
    # One that takes no notice of `threads` runs one request at a time, whatever they say.
    many = configured(threads=8)
    assert (SyncWorker.capacity(many), ThreadWorker.capacity(many)) == (1, 8)
    for other in (Worker, AsyncWorker):
        (text,) = other.refusals(cfg)
        assert text.startswith(f"max_workers = 4 can not be used with {other.__name__}, which does")
        assert other.refusals(Config()) == []


def test_there_may_be_several_processes() -> None:
    for values in ({"workers": 2}, {"min_workers": 1, "max_workers": 2}):
        assert base_environ(configured(**values))["wsgi.multiprocess"]
    for values in ({}, {"min_workers": 1, "max_workers": 1}):
        assert not base_environ(configured(**values))["wsgi.multiprocess"]


def test_auto_is_an_int_that_remembers() -> None:
    number = configured(workers="auto").workers
    assert isinstance(number, Auto)
    assert number == number.cpus.workers
    assert f"{number}" == repr(number) == str(int(number))
