"""The Rust core: what `src/py` exports."""

from collections.abc import Callable, Sequence
from os import PathLike
from socket import socket
from typing import Any, Literal, TypedDict, final, type_check_only

Action = (
    tuple[Literal["spawn"]]
    | tuple[Literal["kill"], int, int]
    | tuple[Literal["code"], int, int]
    | tuple[Literal["signal"], int, int]
    | tuple[Literal["timeout"], int]
    | tuple[Literal["hang"], int]
    | tuple[Literal["unknown"], int]
    | tuple[Literal["child_exit"], int]
    | tuple[Literal["retry"], int, float]
    | tuple[Literal["retry_fork"], float]
    | tuple[Literal["no_room"], float]
    | tuple[Literal["back_off"], int, float]
    | tuple[Literal["reloaded"]]
    | tuple[Literal["reload_failed"], int | None, int]
    | tuple[Literal["halt"], str, int]
)
"""What the fleet wants done: fork a worker; send signal [2] to [1]; log that [1] exited with code
[2], that signal [2] killed it, that its heartbeat stopped, that it does not finish booting, that it
was none of ours; run `child_exit` for it; log that [1] failed to boot and that the next try is in
[2] seconds, that a successor could not be forked, nor a missing worker, that workers like [1] die
soon; close what only the old generation needed; bring the old configuration back because [1] ended
before it was ready, or because the new workers took too long, [2] of which serve until they are
replaced; end the server for reason [1] with status [2]."""

@final
class Inbox:
    def __new__(cls) -> Inbox: ...
    def install(self) -> None: ...
    def put(self, number: int) -> None: ...
    def put_nowait(self, number: int) -> None: ...
    def door(self) -> int | None: ...
    def wait(self, timeout: float) -> list[int]: ...

@final
class Fleet:
    def __new__(cls) -> Fleet: ...
    def set_limits(self, timeout: float, graceful_timeout: float, boot: float) -> None: ...
    def set_target(self, target: int) -> None: ...
    def next_child(self) -> tuple[int, int]: ...
    def on_spawned(self, pid: int, age: int, slot: int, now_ns: int) -> None: ...
    def on_exited(
        self, pid: int, code: int | None, signal: int | None, now_ns: int
    ) -> list[Action]: ...
    def on_vanished(self, pid: int, now_ns: int) -> list[Action]: ...
    def on_signs(
        self, signs: list[tuple[int, int | None, int | None, bool | None]], now_ns: int
    ) -> None: ...
    def on_reload(self, strategy: str, now_ns: int) -> list[Action]: ...
    def on_spawn_failed(self, scarce: bool, now_ns: int) -> list[Action]: ...
    def balance(self, now_ns: int) -> list[Action]: ...
    def on_tick(self, now_ns: int, beats: list[tuple[int, int]]) -> list[Action]: ...
    def on_stop(self, graceful: bool, now_ns: int) -> list[Action]: ...
    def is_settled(self, now_ns: int) -> bool: ...
    def sleep(self, now_ns: int) -> float: ...
    def is_established(self) -> bool: ...
    def ready(self) -> int: ...
    def serving(self) -> int: ...
    def cause(self, pid: int) -> Literal["reload", "surplus", "wish", "stop"] | None:
        """Why it was told to leave."""
    def holds_back(self, now_ns: int) -> bool:
        """Whether workers are missing and none is forked, because they end too early."""
    def dismiss(self, pid: int, now_ns: int) -> list[Action]: ...

@final
class AccessChoice:
    def __new__(cls, when: str, skip: list[str]) -> AccessChoice: ...
    def wants(self, status: int, micros: int, target: str) -> bool: ...

def access_line(style: str, facts: dict[str, Any]) -> str: ...
def traceparent(value: str) -> str | None: ...

@final
class Scaler:
    def __new__(cls, min: int, max: int, threads: int, interval: float, calm: float) -> Scaler: ...
    def is_due(self, now_ns: int) -> bool: ...
    def start_over(self) -> None: ...
    def observe(
        self, fleet: Fleet, target: int, slots: list[tuple[int, Slot]], waiting: int, now_ns: int
    ) -> tuple[int, int | None, str] | None:
        """How many workers there are to be, who is to leave, and why; None for no change."""

@type_check_only
class ConnectionsView(TypedDict):
    """What the connections of a worker are at: between two requests is `idle`, `waiting` is a
    complete request without a thread."""

    reading: int
    waiting: int
    running: int
    writing: int
    idle: int

@type_check_only
class HistogramView(TypedDict):
    """`buckets` are not added up; there is one more than `HISTOGRAM_BOUNDS_NS`, for all above."""

    buckets: list[int]
    sum_ns: int

@type_check_only
class _SlotView(TypedDict):
    slot: int
    alive: bool
    pid: int
    age: int
    claimed_ns: int
    claimed_at_ns: int
    respawns: int
    events: dict[str, int]
    histograms: dict[Literal["queue", "app", "write", "whole"], HistogramView]

@type_check_only
class WorkerView(_SlotView, total=False):
    """One slot. What its worker class can't tell has no key, here, in `events` and `histograms`.

    Monotonic nanoseconds: `claimed_ns` (the slot was taken), `booted_ns` (absent before),
    `heartbeat_ns` (absent before the first). `claimed_at_ns`: since 1970. `room`: requests that it
    can run at once; `running`: that it runs; `busy_ns`: time of threads spent on requests, with
    those that run. `requests`, `responses` (keys `1xx` to `5xx`), `events`, `bytes_in`, `bytes_out`
    and `histograms` are of all workers that had the slot; `own_requests` is of this one.
    """

    booted_ns: int
    heartbeat_ns: int
    wish: str
    room: int
    running: int
    busy_ns: int
    queued: int
    connections: ConnectionsView
    requests: int
    own_requests: int
    responses: dict[str, int]
    bytes_in: int
    bytes_out: int

@type_check_only
class ServerFacts(TypedDict):
    """What the master says of the server; `sys::header::Fact`."""

    pid: int
    started_at_ns: int
    workers: int
    threads: int
    max_queue: int
    reloads: int
    reload_failures: int
    reload_failed: int
    spawns: int
    spawn_failures: int
    boots: int
    boot_time_ns: int
    back_off: int
    backlog: int
    version: int

@type_check_only
class Snapshot(TypedDict):
    """`now_ns`: monotonic, when it was taken. `ends`: workers that have ended, by reason
    (`sys::header::Reason`). `in_transit`: requests in the queue between workers. `workers`: every
    slot with a number that was ever taken, in order."""

    now_ns: int
    course: Literal["serving", "parting", "leaving", "closing", "quitting"]
    in_transit: int
    server: ServerFacts
    ends: dict[str, int]
    workers: list[WorkerView]

HISTOGRAM_BOUNDS_NS: list[int]

@final
class Display:
    """The scoreboard of some master, to look at."""

    def __new__(cls, fd: int) -> Display:
        """`fd`: of `/proc/PID/fd/N`, opened for reading; it stays the caller's.

        Raises:
            ValueError: no scoreboard, or one of another layout, which the message names.
            OSError: it can't be mapped.
        """

    def snapshot(self) -> Snapshot: ...

@final
class Scoreboard:
    def __new__(cls, directory: str | PathLike[str] | None = None) -> Scoreboard: ...
    def claim(self, index: int | None = None, age: int = 0) -> Slot: ...
    def set_course(self, name: str, until_ns: int = 0) -> None:
        """Tells all workers what the server is about to do: `serving`, `parting`, `leaving`,
        `closing` or `quitting`. `until_ns`: when the limit of a stop is over."""
    def set_fact(self, name: str, value: int) -> None: ...
    def add_to_fact(self, name: str, n: int = 1) -> None: ...
    def count_end(self, reason: str) -> None: ...
    def snapshot(self) -> Snapshot: ...
    def fileno(self) -> int: ...

@type_check_only
class Sighting(TypedDict):
    """A request as shared memory shows it. What is bytes came from a client, or is garbage."""

    phase: Literal["waiting", "app", "sending", "answered", "coming", "departing"]
    method: bytes
    path: bytes
    path_cut: bool
    request_id: bytes
    peer: bytes
    version: tuple[int, int]
    started_ns: int
    deadline_ns: int
    thread: int
    tid: int
    logged: bool
    client_gone: bool
    overdue: bool
    counted: bool

@final
class Flights:
    stack_signal: int
    def __new__(
        cls, room: int, slates: int = 0, label: tuple[int | None, int] | None = None
    ) -> Flights:
        """`label`: slot and age of the worker, for others who look by `FlightsDisplay`."""

    def close_fd(self) -> None:
        """In the worker: others find the memory in the master."""
    def begin(
        self,
        method: str,
        path: str,
        version: tuple[int, int],
        peer: str = "",
        request_id: str = "",
    ) -> Flight | None: ...
    def running(self) -> list[Sighting]: ...
    def unwritten(self) -> list[bytes]: ...
    @property
    def lost_lines(self) -> int: ...
    def secede(self) -> None: ...
    @property
    def room(self) -> int: ...
    @property
    def overflow(self) -> int: ...

@final
class Vault:
    """Where a worker deposits connections that a kill would close."""

    def __new__(cls, room: int, keeper: bool = False) -> Vault: ...
    def keep(self) -> None:
        """Starts the keeper, in the worker.

        Raises:
            OSError: there can be no other process.
        """

    def part(self) -> None:
        """In the master, behind the fork: the keeper's end of its line is closed."""

    def rescue(
        self,
        flights: Flights | None,
        blameless: bool = True,
        listeners: Sequence[socket] | None = None,
    ) -> tuple[int, int, list[str]]:
        """How many go on elsewhere, how many more would if there were room, and who has lost a
        connection between two requests, as far as that is known."""

    def clear(self) -> None: ...
    def secede(self) -> None: ...
    @property
    def room(self) -> int: ...

@final
class FlightsDisplay:
    """The requests of a worker of another server."""

    def __new__(cls, fd: int) -> FlightsDisplay:
        """`fd` stays the caller's.

        Raises:
            ValueError: it is something else, or of another layout.
            OSError: it is not open, or can not be mapped.
        """

    @property
    def label(self) -> tuple[int | None, int]:
        """Slot (None for none) and age of the worker."""

    def running(self) -> list[Sighting]: ...

@final
class Flight:
    def sending(self) -> bool: ...
    def logged(self) -> None: ...
    def counted(self) -> None: ...
    def client_gone(self) -> None: ...
    def end(self) -> None: ...

@final
class Slot:
    pid: int
    booted_ns: int | None
    @property
    def wish(self) -> str | None: ...
    @wish.setter
    def wish(self, name: str) -> None: ...
    @property
    def index(self) -> int: ...
    @property
    def age(self) -> int: ...
    @property
    def heartbeat_ns(self) -> int | None: ...
    def count_request(
        self,
        status: int,
        whole_ns: int,
        queue_ns: int | None = None,
        app_ns: int | None = None,
        write_ns: int | None = None,
    ) -> None: ...
    def count_event(self, name: str, n: int = 1) -> None: ...
    def tell(self, *names: str) -> None:
        """From now on the worker tells what has these names: `requests`, `queue`, `app`, `write`,
        `whole`, `bytes`, `connections`, `running`, `room`, and those of events."""
    def set_room(self, requests: int) -> None: ...
    @property
    def is_lost(self) -> bool: ...
    @property
    def course(self) -> str:
        """What the server is about to do, as `Scoreboard.set_course` was told."""
    @property
    def heirless(self) -> bool:
        """Whether the worker has listeners that no worker after it will have."""
    def set_heirless(self) -> None:
        """Says so; the master, before it tells the worker to leave."""
    def beat(self, now_ns: int) -> None: ...
    def secede(self) -> None:
        """For a child that the application has forked: nobody sees what it counts."""
    def release(self) -> None: ...
    def begin_work(self, now_ns: int) -> None: ...
    def end_work(self, since_ns: int, now_ns: int) -> None: ...

@final
class StaticFiles:
    def __new__(cls, cfg: Any) -> StaticFiles: ...
    def answer(
        self, environ: dict[str, Any]
    ) -> (
        tuple[
            str,
            list[tuple[str, str]],
            bytes | None,
            tuple[int, int, int] | None,
            str | None,
        ]
        | None
    ): ...

@final
class Timekeeper:
    """Looks at how long the requests of a worker take."""

    @staticmethod
    def of(worker: Any) -> Timekeeper | None: ...
    def enter(
        self,
        fd: int,
        road: bool | Callable[[bytes, float], bool],
        fields: list[str],
        flight: Flight | None = None,
    ) -> Timed:
        """A request enters the application. `road`: as `rgunicorn.workers.heralds.Road`; `fields`:
        method, target, PATH_INFO, query, version, address, then name and value of each header
        field. Raises OSError."""

@final
class Timed:
    """A request that somebody looks at."""

    @property
    def is_over(self) -> bool: ...
    @property
    def is_overruled(self) -> bool: ...
    @property
    def is_told(self) -> bool: ...
    @property
    def deadline(self) -> Deadline | None: ...
    def speak(self) -> bool: ...
    def claim_line(self) -> bool: ...
    def claim_count(self) -> bool:
        """Whether the request is the caller's to count; once."""
    def end(self) -> bool: ...

@final
class Deadline:
    """`environ["rgunicorn.deadline"]`."""

    def __call__(self, seconds: float) -> bool:
        """Puts the deadline `seconds` from now; 0 is none. False: the client has been answered.
        Raises ValueError for a negative number."""

@final
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

def bar(fd: int) -> float:
    """Nobody new can come to a TCP listener from here on. Seconds until nobody arrives."""

def cpu_time(pid: int) -> float | None:
    """Seconds of CPU that a process has used, of any user; None when it is gone."""

def notepad() -> int: ...
def bear_witness(signal: int, fd: int, aborts: bool) -> None: ...
def reap() -> tuple[int, int | None, int | None] | None: ...
def fork(inbox: Inbox, in_child: Callable[[], Any] | None = None) -> int: ...
def serve_status(board: Scoreboard, listener: int, line: int, about: Any) -> None:
    """Serves the status pages on the descriptor `listener`, until the other end of `line` is closed
    or the parent has ended, with whom this process dies from now on.

    Args:
        about: a `rgunicorn.status.Plan`.

    Raises:
        OSError: a descriptor is not open.
    """

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

@final
class Standing:
    """`nr` and `alive` of a native worker."""

    nr: int
    alive: bool

    def __init__(self) -> None: ...

@final
class Attendant:
    """The loop of `serve_sync` as signal handlers know it: `worker.attendant`."""

    @property
    def calling(self) -> bool:
        """Whether the application is in a call."""

    def attend(self) -> None:
        """Sees to those who wait while the application runs on.

        Raises:
            OSError: there can be no thread for that.
        """

@final
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

@final
class Rules:
    """What is accepted from whom: the settings that judge requests."""

    def __new__(cls, cfg: Any, uwsgi: bool = False) -> Rules:
        """Reads them from `cfg`, and SCRIPT_NAME from the environment. `uwsgi`: requests come as
        packets, whatever `protocol` says.

        Raises:
            ValueError: a list of allowed addresses can't be read.
        """

    def request_id(self, peer: str | None, values: list[bytes]) -> str | None: ...

@final
class RequestDecoder:
    """Reads one request head or uwsgi packet; the first of a connection with its PROXY preamble."""

    def __new__(cls, rules: Rules, peer: str | None, first: bool = True) -> RequestDecoder:
        """`peer`: IP address, None for a unix socket; `first`: it may begin with a preamble."""

    def feed(self, data: bytes) -> dict[str, Any] | None:
        """Takes bytes; returns what the head says once it is complete.

        Raises:
            ParseException: the request is refused. With an attribute `facts` (as returned) when
                the access log shall have a line.
            UWSGIParseException: the packet can not be read, or not from this peer.
            ValueError: it has been read or refused already.
        """

    def rest(self) -> bytes:
        """What was fed beyond the head."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing has been fed yet, but for a PROXY preamble."""

@final
class BodyDecoder:
    """The body of one request, by length or in chunks."""

    def __new__(cls, rules: Rules, length: int | None = None) -> BodyDecoder:
        """`length`: bytes; None for chunks."""

    def decode(self, data: bytes) -> bytes:
        """Takes bytes; returns those that are body.

        Raises:
            ParseException: the coding is broken.
        """

    def end(self) -> None:
        """The connection has ended.

        Raises:
            ParseException: inside the chunked coding.
            NoMoreData: inside the body.
        """

    def rest(self) -> bytes:
        """Takes out what was decoded beyond the body."""

    def trailers(self) -> list[tuple[str, str]]: ...
    @property
    def done(self) -> bool: ...
    @property
    def broken(self) -> bool:
        """The next `decode` raises, whatever it is given."""

@final
class ResponseEncoder:
    """One response: what the application announced, and its framing."""

    def __new__(cls, method: str, version: tuple[int, int], chunks: bool = True) -> ResponseEncoder:
        """`method` of the request, `version` of the response; `chunks`: its reader takes them."""

    def announce(self, status: object, headers: object) -> int:
        """Checks and keeps what `start_response` was given; returns the status code.

        Raises:
            ValueError, InvalidResponseHeader, InvalidResponseHeaderName, TypeError: it must not
                be sent.
        """

    named: bool
    def head(
        self, keep_alive: bool, server: str, named: tuple[str, str] | None = None
    ) -> bytes: ...
    def piece(self, data: bytes) -> bytes:
        """A piece of the body as it goes on the wire: what the framing lets through."""

    def begin(self, size: int) -> tuple[bytes, int]:
        """Announces `size` bytes: what goes before them, and how many may be sent."""

    def after(self) -> bytes:
        """What goes behind the bytes that `begin` announced."""

    def finish(self) -> tuple[bytes, bool, int, bool]:
        """Last bytes; whether the connection can take another request; bytes missing of
        Content-Length; whether a body was dropped where none may be."""

    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def length(self) -> int | None: ...
    @property
    def upgrade(self) -> bool: ...
    @property
    def chunked(self) -> bool: ...
    @property
    def sent(self) -> int: ...

def early_hints(version: tuple[int, int], headers: object) -> bytes:
    """A `103 Early Hints` response; nothing for HTTP/1.0.

    Raises:
        InvalidResponseHeader, InvalidResponseHeaderName: a field that must not be sent.
    """

def path_info(path: str, script_name: str) -> str:
    """PATH_INFO of `path` (raw) below `script_name`.

    Raises:
        ConfigurationProblem: it is not below it.
    """
