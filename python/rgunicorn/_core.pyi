"""The Rust core: what `src/py` exports."""

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal

Action = (
    tuple[Literal["spawn"]]
    | tuple[Literal["kill"], int, int]
    | tuple[Literal["code"], int, int]
    | tuple[Literal["signal"], int, int]
    | tuple[Literal["timeout"], int]
    | tuple[Literal["unknown"], int]
    | tuple[Literal["child_exit"], int]
    | tuple[Literal["retry"], int, float]
    | tuple[Literal["reloaded"]]
    | tuple[Literal["reload_failed"], int | None]
    | tuple[Literal["halt"], str, int]
)
"""What the fleet wants done: fork a worker; send signal [2] to [1]; log that [1] exited with code
[2], that signal [2] killed it, that its heartbeat stopped, that it was none of ours; run
`child_exit` for it; log that [1] failed to boot and that the next try is in [2] seconds; close what
only the old generation needed; bring the old configuration back because [1] ended before it was
ready, or because the new workers took too long; end the server for reason [1] with status [2]."""

class Inbox:
    def __new__(cls) -> Inbox: ...
    def install(self) -> None: ...
    def put(self, number: int) -> None: ...
    def put_nowait(self, number: int) -> None: ...
    def wait(self, timeout: float) -> list[int]: ...

class Fleet:
    def __new__(cls) -> Fleet: ...
    def set_limits(self, timeout: float, graceful_timeout: float) -> None: ...
    def set_target(self, target: int) -> None: ...
    def next_child(self) -> tuple[int, int]: ...
    def on_spawned(self, pid: int, age: int, slot: int, now_ns: int) -> None: ...
    def on_exited(
        self, pid: int, code: int | None, signal: int | None, now_ns: int
    ) -> list[Action]: ...
    def on_vanished(self, pid: int, now_ns: int) -> list[Action]: ...
    def on_signs(self, signs: list[tuple[int, int | None, int | None]], now_ns: int) -> None: ...
    def on_reload(self, gated: bool, now_ns: int) -> list[Action]: ...
    def on_spawn_failed(self, now_ns: int) -> list[Action]: ...
    def balance(self, now_ns: int) -> list[Action]: ...
    def on_tick(self, now_ns: int, beats: list[tuple[int, int]]) -> list[Action]: ...
    def on_stop(self, graceful: bool, now_ns: int) -> list[Action]: ...
    def is_settled(self, now_ns: int) -> bool: ...
    def sleep(self, now_ns: int) -> float: ...
    def serving(self) -> int: ...

class Scoreboard:
    def __new__(cls, directory: str | PathLike[str] | None = None) -> Scoreboard: ...
    def claim(self, index: int | None = None, age: int = 0) -> Slot: ...
    def fileno(self) -> int: ...

class Slot:
    pid: int
    booted_ns: int | None
    @property
    def index(self) -> int: ...
    @property
    def age(self) -> int: ...
    @property
    def heartbeat_ns(self) -> int | None: ...
    @property
    def requests(self) -> int: ...
    @property
    def busy(self) -> int: ...
    def beat(self, now_ns: int) -> None: ...
    def release(self) -> None: ...

class TLSSession:
    """TLS of one connection, between two memory buffers; made by the core only."""

    @property
    def object(self) -> Any:
        """The `ssl.SSLObject`."""

    def receive(self, ciphertext: bytes, size: int) -> tuple[bytes | None, bytes]:
        """Plaintext (empty at the end, None when more ciphertext is needed), and what is to be
        sent. Raises ssl.SSLError."""

    def encrypt(self, plain: bytes) -> bytes:
        """All of `plain` as ciphertext. Raises ssl.SSLError."""

    def end(self) -> None:
        """There will be no more ciphertext."""

    def goodbye(self) -> bytes:
        """TLS's goodbye, if it is in a state for one."""

def reap() -> tuple[int, int | None, int | None] | None: ...
def fork(inbox: Inbox, in_child: Callable[[], Any] | None = None) -> int: ...
def refusal(name: str, text: str) -> tuple[int, str, str] | None:
    """Status, reason and page text for an exception class `name` that says `text`.

    None when it is not the client's mistake.
    """

def serve_sync(worker: Any) -> None:
    """Serves with one thread until `worker` is told to stop.

    Raises:
        OSError: there are no descriptors left for the event queue.
        BaseException: whatever a signal handler raises outside of requests.
    """

class Crew:
    """The threads of one gthread worker, and the event loop that they take turns at."""

    def __new__(cls, worker: Any) -> Crew:
        """Reads the configuration of `worker` and starts to listen.

        Raises:
            OSError: there are no descriptors left for the event queue.
        """

    def work(self) -> None:
        """Runs requests in this thread until the worker leaves."""

    def watch(self) -> None:
        """Watches over the worker from the main thread; returns when all is done.

        Raises:
            BaseException: whatever a signal handler raises.
        """

    def leave(self) -> None:
        """Makes each thread return after its current request, and `watch` too. From any thread,
        also more than once."""
