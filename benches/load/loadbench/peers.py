"""The servers the harness knows. A new one is a small class in rivals.py and a line here.

Everyone gets the settings its own documentation recommends for a plain production start, on the
same app, and nothing that changes what the app can see.
"""

from __future__ import annotations

from loadbench.gunicorns import (
    GunicornGthread,
    GunicornGthreadFast,
    GunicornSync,
    GunicornSyncFast,
    RgunicornGthread,
    RgunicornSync,
    RgunicornSyncKeepalive,
)
from loadbench.peer import Peer
from loadbench.rivals import (
    Bjoern,
    Cheroot,
    FastPySGI,
    FastWSGI,
    Granian,
    Responder,
    ResponderWithCall,
    Uwsgi,
    Waitress,
)


def all_peers() -> list[Peer]:
    """Every server, in the order of the tables."""
    return [
        Responder(),
        ResponderWithCall(),
        RgunicornSync(),
        RgunicornSyncKeepalive(),
        RgunicornGthread(),
        GunicornSync(),
        GunicornSyncFast(),
        GunicornGthread(),
        GunicornGthreadFast(),
        Granian(),
        Uwsgi(),
        FastPySGI(),
        FastWSGI(),
        Bjoern(),
        Waitress(),
        Cheroot(),
    ]
