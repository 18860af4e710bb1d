"""What people suffer from elsewhere: M1, M2 and M9 of the design, with their numbers.

Two workers, of four threads where there are threads. The clients that stall do it all the time; the
honest ones must be answered, and the bound of their reads is the assertion. Gunicorn does not
answer for more than eight seconds (M1, M2) and stalls two seconds for each client (M9).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from harness import kinds
from harness.kinds import Kind
from harness.mode import Mode
from harness.server import Command, Server, spawner
from harness.wire import Wire, chunked, get, post

pytestmark = pytest.mark.gunicorn_bug("a few slow clients hold all threads")

Serve = Callable[[Kind], Server]
HELLO = b"Hello, World!"
BODY = b"0123456789" * 100
ROUNDS = 5


@pytest.fixture(scope="module", params=["tcp", "unix"])
def serve(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, command: Command
) -> Iterator[Serve]:
    """One server for each kind of worker and transport."""
    servers: dict[str, Server] = {}
    mode = Mode(transport=request.param)
    with spawner(tmp_path_factory.mktemp("server"), command, mode) as spawn:

        def started(kind: Kind) -> Server:
            if kind.name not in servers:
                threads = {"threads": 4} if kind is kinds.GTHREAD else {}
                settings = {**kind.settings, "workers": 2, **threads}
                servers[kind.name] = spawn("kitchen:app", settings=settings)
            return servers[kind.name]

        yield started


@contextlib.contextmanager
def stalling(server: Server, count: int, raw: bytes, kept: bool = False) -> Iterator[list[Wire]]:
    """`count` clients that have sent `raw`, with `kept` as a second request, and stall."""
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(count):
            wire = stack.enter_context(Wire(server.address))
            if kept:
                assert wire.send(get("/hello")).response().body == HELLO
            wires.append(wire.send(raw))
        yield wires


def assert_served(server: Server, kept: list[Wire]) -> None:
    """New connections and those that `kept` has from before are answered."""
    for _ in range(ROUNDS):
        with Wire(server.address) as wire:
            assert wire.send(get("/hello")).response().body == HELLO
        for wire in kept:
            assert wire.send(post("/echo", BODY)).response().body == BODY


@contextlib.contextmanager
def honest(server: Server, kind: Kind) -> Iterator[list[Wire]]:
    """Kept-alive connections of honest clients, made before anybody stalls."""
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(4 if kind.keeps_alive else 0):
            wire = stack.enter_context(Wire(server.address))
            assert wire.send(get("/hello")).response().header("Connection") == "keep-alive"
            wires.append(wire)
        yield wires


def both(kind_list: tuple[Kind, ...] = kinds.ALL) -> list[object]:
    """Each kind with stallers on new connections, and on kept-alive ones where there are any."""
    new = [pytest.param(kind, False, id=f"{kind}-new") for kind in kind_list]
    kept = [
        pytest.param(kind, True, id=f"{kind}-kept alive") for kind in kind_list if kind.keeps_alive
    ]
    return [*new, *kept]


UPLOADS = {
    "by length": post("/echo", BODY),
    "chunked": get("/echo", "Transfer-Encoding: chunked", method="POST") + chunked(BODY),
}


@pytest.mark.parametrize("kind, kept", both())
@pytest.mark.parametrize("framing", UPLOADS)
def test_m1_uploads_that_stall(serve: Serve, kind: Kind, kept: bool, framing: str) -> None:
    """Eight clients send the head and three bytes of the body."""
    server = serve(kind)
    raw = UPLOADS[framing]
    cut = raw.index(b"\r\n\r\n") + 4 + (3 if framing == "by length" else 8)
    with (
        honest(server, kind) as wires,
        stalling(server, 8, raw[:cut], kept=kept) as stallers,
    ):
        assert_served(server, wires)
        # They were only slow.
        for wire in stallers:
            assert wire.send(raw[cut:]).response().body == BODY


@pytest.mark.parametrize("kind, kept", both())
def test_m2_readers_that_stall(serve: Serve, kind: Kind, kept: bool) -> None:
    """Sixteen clients ask for 20 MB and never read."""
    server = serve(kind)
    raw = get("/bytes?n=20000000")
    with (
        honest(server, kind) as wires,
        stalling(server, 16, raw, kept=kept) as stallers,
    ):
        assert_served(server, wires)
        assert len(stallers[-1].response().body) == 20_000_000


@pytest.mark.parametrize("kind", kinds.ALL, ids=str)
@pytest.mark.parametrize("more", [b"", b"x" * 1000], ids=["silent", "go on sending"])
def test_m9_clients_that_keep_their_side_open(serve: Serve, kind: Kind, more: bytes) -> None:
    """Eighty are told that the connection ends and do not close theirs. At two seconds each, the
    last of them would have to wait longer than it does."""
    server = serve(kind)
    last = get("/hello", "Connection: close")
    with honest(server, kind) as wires, stalling(server, 80, last) as clients:
        for client in clients:
            response = client.response()
            assert (response.body, response.header("Connection")) == (HELLO, "close")
            with contextlib.suppress(ConnectionError):
                client.send(more)
        assert_served(server, wires)
