"""Thousands of connections at once."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from .server import Address
from .wire import Wire

# What a test process and a server have open besides: generous.
OTHERS = 500


@contextlib.contextmanager
def room_for(count: int) -> Iterator[None]:
    """Lets this process, and servers it starts, have `count` connections open. Skips the test
    where the hard limit forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + OTHERS
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"needs {needed} descriptors in a process, the hard limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def crowd(address: Address, count: int, receive_buffer: int = 0) -> Iterator[list[Wire]]:
    """`count` connections on which nothing was sent."""
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(count):
            wire = Wire(address, timeout=60, receive_buffer=receive_buffer)
            wires.append(stack.enter_context(wire))
        yield wires
