"""What a stop does to those who are there, who wait, and who come: M3 of the design and its kin."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import kinds
from harness import nginx as real
from harness.gate import enter, gate
from harness.kinds import Kind
from harness.load import load
from harness.mode import Mode
from harness.server import Address, Server, Spawn, free_port
from harness.tls import TLSAddress, TLSStream
from harness.wait import until
from harness.wire import Response, Wire, ask, get

HELLO = b"Hello, World!"
QUEUE = 20
# Longer than a test: what ends, ends for another reason.
NEVER = 300

each_kind = pytest.mark.parametrize("kind", kinds.ALL, ids=str)
each_kept = pytest.mark.parametrize("kind", kinds.KEPT, ids=str)
each_transport = pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])


def serve(
    spawn: Spawn, kind: Kind, transport: str = "tcp", config: str = "", **settings: object
) -> Server:
    """Two workers of one thread; applications that sleep and wait."""
    settings = {**kind.settings, "threads": 1, "workers": 2, "graceful_timeout": 60, **settings}
    return spawn("kitchen:app", Mode(transport=transport), settings=settings, config=config)


@contextlib.contextmanager
def waiting(address: Address, count: int, raw: bytes) -> Iterator[list[Wire]]:
    """`count` clients that have sent `raw`."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address)) for _ in range(count)]
        if not isinstance(address, TLSAddress):
            for wire in wires:
                wire.send(raw)
        yield wires


def responses(wires: list[Wire], raw: bytes) -> list[Response]:
    """What they are answered. With TLS there is nothing to send before somebody shakes hands."""

    def answer(wire: Wire) -> Response:
        if isinstance(wire.sock, TLSStream):
            wire.send(raw)
        response = wire.response()
        assert wire.is_closed()
        return response

    with ThreadPoolExecutor(len(wires)) as pool:
        return list(pool.map(answer, wires))


def is_refused(address: Address) -> bool:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(5)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except TimeoutError:
            # It is barred, and not shut yet.
            return False
    return False


def term(server: Server) -> None:
    server.send_signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")


@pytest.mark.gunicorn_bug("what waits in the backlog at TERM is reset")
@each_transport
@each_kind
def test_m3_who_waits_at_term_is_answered(spawn: Spawn, kind: Kind, transport: str) -> None:
    """Twenty have connected; both workers are busy with the first two."""
    server = serve(spawn, kind, transport)
    with enter(server), enter(server), waiting(server.address, QUEUE, get("/hello")) as queue:
        term(server)
        gate(server).touch()
        answers = responses(queue, get("/hello"))
        assert [(it.status, it.body) for it in answers] == [(200, HELLO)] * QUEUE
        assert {it.header("Connection") for it in answers} == {"close"}
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("what waits in the backlog at TERM is reset")
@each_kind
def test_several_listeners(spawn: Spawn, kind: Kind, tmp_path: Path) -> None:
    path, port = str(tmp_path / "other.sock"), free_port()
    more = f"bind = [bind, '0.0.0.0:{port}', 'unix:{path}']"
    server = serve(spawn, kind, workers=1, config=more)
    with contextlib.ExitStack() as stack:
        stack.enter_context(enter(server))
        addresses: list[Address] = [server.address, ("127.0.0.1", port), path]
        queues = [stack.enter_context(waiting(it, 4, get("/hello"))) for it in addresses]
        term(server)
        gate(server).touch()
        for queue in queues:
            assert [wire.response().body for wire in queue] == [HELLO] * 4
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("what waits in the backlog of a worker that leaves is reset")
@each_kind
def test_queues_of_their_own(spawn: Spawn, kind: Kind) -> None:
    """reuse_port: each worker has its queue, and nobody else can serve it."""
    server = serve(spawn, kind, reuse_port=True)
    with load(server.address) as clients:
        for count in (1, 2):
            before = set(server.workers())
            clients.wait_answers(50)
            server.send_signal(signal.SIGHUP)
            server.wait_log("Hang up: Master", count)
            until(
                lambda before=before: len(now := set(server.workers())) == 2 and not before & now,
                "two new workers and no old one",
                show=server.log,
            )
        server.send_signal(signal.SIGTTOU)
        until(lambda: len(server.workers()) == 1, "one worker", show=server.log)
        clients.wait_answers(50)
    clients.assert_nothing_lost()
    with enter(server), waiting(server.address, QUEUE, get("/hello")) as queue:
        term(server)
        gate(server).touch()
        assert [wire.response().body for wire in queue] == [HELLO] * QUEUE
    assert server.wait_exit() == 0


@pytest.mark.ours("Gunicorn's new workers do not have the old address")
@each_kind
def test_an_address_that_goes(spawn: Spawn, kind: Kind) -> None:
    """HUP with another `bind`: who waits at the old address is answered by the old workers."""
    server = serve(spawn, kind, workers=1)
    config = server.directory / "gunicorn.conf.py"
    port = free_port()
    with enter(server), waiting(server.address, 5, get("/hello")) as queue:
        config.write_text(config.read_text() + f"bind = '127.0.0.1:{port}'\n")
        server.send_signal(signal.SIGHUP)
        until(lambda: not is_refused(("127.0.0.1", port)), "the new address")
        assert ask(("127.0.0.1", port), get("/hello")).body == HELLO
        gate(server).touch()
        assert [wire.response().body for wire in queue] == [HELLO] * 5
    until(lambda: is_refused(server.address), "the old address to close")
    server.assert_clean_exit()


@pytest.mark.ours("Gunicorn's worker keeps the listener open while it is busy")
@pytest.mark.parametrize("transport", ["tcp", "unix"])
@each_kind
def test_nobody_new_comes_in(spawn: Spawn, kind: Kind, transport: str) -> None:
    """Both workers are busy and go on being busy; who comes now finds the address closed. One has
    come before, and waits for them."""
    server = serve(spawn, kind, transport)
    with enter(server) as one, enter(server) as other, Wire(server.address) as waits:
        waits.send(get("/hello"))
        term(server)
        until(lambda: is_refused(server.address), "the address to close", show=server.log)
        gate(server).touch()
        assert [wire.response().body for wire in (one, other)] == [b"through the gate"] * 2
        assert waits.response().body == HELLO
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("they are reset")
@each_transport
@each_kind
def test_who_can_not_be_served_in_time_is_told_so(spawn: Spawn, kind: Kind, transport: str) -> None:
    # They are told in the last quarter of it.
    server = serve(spawn, kind, transport, workers=1, graceful_timeout=4)
    with enter(server), waiting(server.address, 5, get("/hello")) as queue:
        term(server)
        answers = responses(queue, get("/hello"))
        assert [(it.status, it.header("Connection")) for it in answers] == [(503, "close")] * 5
    assert server.wait_exit() == 0


@pytest.mark.gunicorn_bug("what waits in the backlog at TERM is reset")
@pytest.mark.skipif(real.available() is None, reason="nginx is not installed")
@each_kind
def test_m3_through_nginx(spawn: Spawn, kind: Kind, tmp_path: Path) -> None:
    """proxy_pass with kept-alive connections to the server."""
    server = serve(spawn, kind)
    with real.nginx(tmp_path / "nginx", server.address, keepalive=True) as front:
        address = ("127.0.0.1", front.port)
        for _ in range(3):
            assert ask(address, get("/hello", "Connection: close")).body == HELLO
        with (
            enter(server),
            enter(server),
            waiting(address, QUEUE, get("/hello", "Connection: close")) as queue,
        ):
            # nginx has passed them on.
            until(lambda: connections_to(server.address) >= QUEUE + 2, "nginx to connect")
            term(server)
            gate(server).touch()
            assert [wire.response().status for wire in queue] == [200] * QUEUE
        assert server.wait_exit() == 0
        assert front.error_log() == ""


def connections_to(address: Address) -> int:
    """Established connections of clients on this machine."""
    assert not isinstance(address, str)
    end = f":{address[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[2].endswith(end) and fields[3] == "01" for fields in lines)


@each_kept
@pytest.mark.parametrize("why", ["keepalive", "term"])
@pytest.mark.gunicorn_bug("it is reset")
def test_a_request_that_crosses_the_end_is_not_reset(spawn: Spawn, kind: Kind, why: str) -> None:
    """The client learns that an idle connection has ended, having sent another request."""
    settings = {"keepalive": 1} if why == "keepalive" else {}
    server = serve(spawn, kind, workers=1, **settings)
    with Wire(server.address) as wire:
        assert wire.send(get("/hello")).response().header("Connection") == "keep-alive"
        if why == "term":
            term(server)
        assert wire.is_closed()
        for _ in range(3):
            wire.send(get("/hello"))
            assert wire.is_closed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kinds.SYNC, marks=pytest.mark.gunicorn_bug("the request is interrupted")),
        kinds.GTHREAD,
    ],
    ids=str,
)
def test_a_quick_stop_answers_what_ends_in_time(
    spawn: Spawn, kind: Kind, number: signal.Signals
) -> None:
    server = serve(spawn, kind, workers=1)
    with enter(server) as wire:
        server.send_signal(number)
        server.wait_log("Handling signal")
        gate(server).touch()
        assert wire.response().body == b"through the gate"
    assert server.wait_exit() == 0


@pytest.mark.ours("a second INT means nothing to Gunicorn")
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_asked_again_nobody_is_waited_for(spawn: Spawn, first: signal.Signals) -> None:
    server = serve(spawn, kinds.GTHREAD, graceful_timeout=NEVER)
    with enter(server):
        server.send_signal(first)
        server.wait_log("Handling signal")

        def insisted() -> bool:
            server.send_signal(signal.SIGINT)
            return "Shutdown requested again" in server.log()

        until(insisted, "the second INT to be heard", show=server.log)
        assert server.wait_exit() == 0


delay = pytest.mark.ours("Gunicorn has no shutdown_delay")


@delay
@each_kind
def test_delay_everything_is_served_until_the_second_term(spawn: Spawn, kind: Kind) -> None:
    server = serve(spawn, kind, shutdown_delay=NEVER, keepalive=NEVER)
    with Wire(server.address) as kept:
        kept.send(get("/hello")).response()
        term(server)
        server.wait_log("Stopping in 300 s")
        if kind.keeps_alive:
            response = kept.send(get("/hello")).response()
            assert (response.body, response.header("Connection")) == (HELLO, "close")
    for _ in range(5):
        response = ask(server.address, get("/hello"))
        assert (response.body, response.header("Connection")) == (HELLO, "close")
    # Whoever dies meanwhile is replaced.
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    until(
        lambda: len(now := server.workers()) == 2 and victim not in now,
        "another worker",
        show=server.log,
    )
    # And nothing new begins.
    before = server.workers()
    server.send_signal(signal.SIGHUP)
    server.wait_log("Signal ignored: the server is stopping")
    assert server.workers() == before
    with enter(server), enter(server), waiting(server.address, 5, get("/hello")) as queue:
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term", 2)
        gate(server).touch()
        assert [wire.response().body for wire in queue] == [HELLO] * 5
    assert server.wait_exit() == 0


@delay
def test_delay_ends_by_itself(spawn: Spawn) -> None:
    server = serve(spawn, kinds.GTHREAD, shutdown_delay="0.5s")
    with load(server.address, again=False) as clients:
        clients.wait_answers(20)
        server.send_signal(signal.SIGTERM)
        clients.join()
    clients.assert_nothing_lost()
    assert server.wait_exit() == 0


@delay
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_delay_ends_with_a_quick_stop(spawn: Spawn, number: signal.Signals) -> None:
    server = serve(spawn, kinds.SYNC, shutdown_delay=NEVER)
    term(server)
    server.send_signal(number)
    assert server.wait_exit() == 0
