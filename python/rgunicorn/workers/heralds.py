"""A page of ours for a client over TLS, in workers with an event loop: OpenSSL's object is the
loop's, so the loop says it. Who wants it said is another thread (`src/engine/herald.rs`).
"""

from __future__ import annotations

import contextlib
import weakref

# Not `queue`'s: gevent replaces that by one for greenlets.
from _queue import Empty, SimpleQueue
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How a client can be told something by another thread than its own. True: what is sent goes out as
# it is. False: not at all. Else what says a page within so many seconds, and tells whether it has.
Road = bool | Callable[[bytes, float], bool]


class Herald:
    """Says one page to a client, called from any thread but the loop's.

    Args:
        post: has the loop call something soon, from any thread.
        sock: the client's `ssl.SSLSocket`; it may be closed at any time.
    """

    def __init__(self, post: Callable[[Callable[[], None]], object], sock: Any) -> None:
        self._post = post
        # A request is remembered for longer than its connection lives.
        self._sock = weakref.ref(sock)

    def __call__(self, page: bytes, seconds: float) -> bool:
        """Whether all of `page` was sent. False also when the loop has no time for so long."""
        said: SimpleQueue[bool] = SimpleQueue()
        self._post(lambda: said.put(_say(self._sock(), page)))
        try:
            return said.get(timeout=seconds)
        except Empty:
            return False


def _say(sock: Any, page: bytes) -> bool:
    """Does not wait."""
    # `SSLSocket.write` and that of gevent would, or raise where nothing is wrong.
    encrypted = getattr(sock, "_sslobj", None)
    if encrypted is None:
        return False
    try:
        if encrypted.write(page) != len(page):
            return False
    except OSError:
        return False
    # It says its goodbye, and would like to hear the client's.
    with contextlib.suppress(OSError):
        encrypted.shutdown()
    return True
