"""What a client is told when its request fails, for workers with a loop of their own.

The table is the core's: `src/http/error.rs`.
"""

from __future__ import annotations

from rgunicorn import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    Refusal = tuple[int, str, str]


def refusal(exc: BaseException) -> Refusal | None:
    """Status, reason and page text for `exc`; None when it is not the client's mistake.

    Exceptions are known by the name of their class or of the nearest base class that has one: they
    live in `rgunicorn.http.errors` and (SSLError) in `ssl`, and neither is needed before the first
    failure. An application's bad response header is no request's fault, whatever it derives from.
    """
    for cls in type(exc).__mro__:
        if cls.__name__.startswith("InvalidResponseHeader"):
            return None
        if answer := _core.refusal(cls.__name__, str(exc)):
            return answer
    return None
