"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T],
    what: str,
    seconds: float = 20,
    show: Callable[[], str] | None = None,
) -> T:
    """Polls `condition` until it is true and returns its value.

    The limit is a bound for a broken server on a busy machine, never an expectation. `show` gives
    what to print when it is reached.
    """
    end = time.monotonic() + seconds
    pause = 0.005
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}\n{show() if show else ''}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return value
