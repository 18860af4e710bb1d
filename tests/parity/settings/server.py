"""Config file, application, listeners; number, kind and times of workers."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading

from harness.wait import until
from harness.wire import Closed, Wire, ask, get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

SHOW_WORKER = """
def post_worker_init(worker):
    import probe
    probe.worker = worker
"""
BUDGET = 1_000
JITTER = 1_000_000


def other_file(stage: Stage) -> object:
    return [line for line in stage.run("--print-config").stdout if line.startswith("backlog")]


def unix_too(stage: Stage) -> object:
    path = stage.directory / "second.sock"
    if not path.exists():
        return stage.lines("Listening at")
    found = ask(str(path), get("/hello"))
    return stage.lines("Listening at"), found.status, stage.call("/hello")


def everywhere(stage: Stage) -> object:
    """Status and SERVER_NAME on each address that a client of this machine can reach."""
    (port,) = {address[1] for address in [stage.server.address] if isinstance(address, tuple)}
    found = []
    for host in ("127.0.0.1", "::1"):
        try:
            with socket.create_connection((host, port), 20) as sock:
                sock.sendall(get("/env", "Connection: close"))
                answer = b""
                while more := sock.recv(65536):
                    answer += more
        except ConnectionError:
            found.append((host, "refused"))
            continue
        environ = json.loads(answer.partition(b"\r\n\r\n")[2])
        found.append((host, environ["SERVER_NAME"], environ["REMOTE_ADDR"]))
    lines = [line.replace(f":{port}", ":PORT") for line in stage.lines("Listening at")]
    return found, lines


def binds_beside(stage: Stage) -> object:
    """Whether somebody else may have the same port."""
    address = stage.server.address
    assert isinstance(address, tuple)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            sock.bind(address)
        except OSError:
            return "taken", stage.lines("Listening at")
    return "shared", stage.lines("Listening at")


def meeting(stage: Stage) -> object:
    """Two requests at once, each of which waits for the other."""
    answers: list[object] = []
    path = "/meet/15" if stage.given else "/meet/1"
    clients = [threading.Thread(target=lambda: answers.append(stage.call(path))) for _ in range(2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return answers, stage.environ()["wsgi.multithread"], stage.lines("Using worker")


def kept(stage: Stage) -> object:
    return stage.answer(get("/hello"))["headers"]


def generations(stage: Stage) -> object:
    """What the log says after five requests, and whether another worker answers then."""

    def pid() -> object:
        facts = stage.call("/facts")
        assert isinstance(facts, dict)
        return facts["pid"]

    pids = [pid() for _ in range(5)]
    said = set(stage.lines("Autorestarting"))
    # Ours serves until its successor is ready: row `replaced-in-service`.
    if said:
        until(lambda: pid() != pids[0], "another worker", show=stage.server.log)
    return said


def budgets(stage: Stage) -> object:
    found = {stage.facts("max_requests") for _ in range(3)}
    assert all(isinstance(count, int) and 0 <= count - BUDGET <= JITTER for count in found), found
    return "spread" if any(count != BUDGET for count in found) else "equal"


def murdered(stage: Stage) -> object:
    answer = stage.call("/sleep/15" if stage.given else "/sleep/2")
    lines = stage.wait_line("WORKER TIMEOUT")
    if lines:
        stage.server.wait_log("Booting worker", 2)
    return answer, lines


def ended_in_time(stage: Stage) -> object:
    """TERM during a request that takes longer than `graceful_timeout`, or less."""
    seconds = 15 if stage.given else 2
    with Wire(stage.server.address, timeout=30) as wire:
        wire.send(get(f"/sleep/{seconds}"))
        until((stage.directory / f"{seconds}.started").exists, "the request to run")
        stage.server.send_signal(signal.SIGTERM)
        answer = None
        with contextlib.suppress(Closed, ConnectionError):
            answer = wire.response().body
    return answer, stage.server.wait_exit(), stage.wait_line("Shutting down")


SCENES = (
    Scene(
        "another config file",
        (Case("config", "`-c FILE` is read instead of `gunicorn.conf.py`", other_file),),
        base={"backlog": 7},
        files={"other.py": "backlog = 77\n"},
        set_args=("-c", "other.py"),
        starts=False,
    ),
    Scene(
        "application of the file",
        (
            Case(
                "wsgi_app",
                "the application that answers; none without it",
                lambda stage: (lambda ran: (ran.code, ran.stderr))(stage.run("--check-config")),
                set={"wsgi_app": "probe:other"},
            ),
        ),
        app=None,
        starts=False,
    ),
    Scene(
        "listeners",
        (
            Case(
                "bind",
                "TCP and unix listeners: the log line, an answer on each",
                unix_too,
                set=lambda stage: {
                    "bind": [stage.server.bind, f"unix:{stage.directory}/second.sock"]
                },
            ),
            Case(
                "backlog",
                "length of the listening queue in the kernel",
                lambda stage: stage.facts("listener"),
                set={"backlog": 7},
            ),
        ),
        config=SHOW_WORKER,
    ),
    Scene(
        "IPv6",
        (
            Case(
                "bind",
                "an IPv6 and an IPv4 address: an answer on each, `SERVER_NAME`, the log line",
                everywhere,
                set=lambda stage: {"bind": [f"[::1]:{stage.server.address[1]}", stage.server.bind]},
                short="IPv6",
            ),
        ),
    ),
    Scene(
        "every address",
        (
            Case(
                "bind",
                "`:PORT`: an answer, `SERVER_NAME`, the log line",
                everywhere,
                set=lambda stage: {"bind": f":{stage.server.address[1]}"},
                short="every address",
            ),
        ),
    ),
    Scene(
        "port shared",
        (
            Case(
                "reuse_port",
                "SO_REUSEPORT on the worker's listener; the log line",
                lambda stage: (stage.facts("listener"), binds_beside(stage)),
                set={"reuse_port": True},
            ),
        ),
        config=SHOW_WORKER,
    ),
    Scene(
        "several workers",
        (
            Case(
                "workers",
                "number of processes, `wsgi.multiprocess`",
                lambda stage: (
                    len(stage.server.workers()),
                    stage.environ()["wsgi.multiprocess"],
                ),
                set={"workers": 3},
            ),
            Case(
                "max_requests_jitter",
                "what is added to `max_requests`, worker by worker",
                budgets,
                set={"max_requests_jitter": JITTER},
            ),
        ),
        base={"max_requests": BUDGET},
        config=SHOW_WORKER,
    ),
    Scene(
        "worker replaced",
        (
            Case(
                "max_requests",
                "the log line; another worker",
                generations,
                set={"max_requests": 2},
            ),
        ),
    ),
    Scene(
        "threads",
        (
            Case(
                "threads",
                "two requests that wait for each other; `wsgi.multithread`; the worker's name",
                meeting,
                set={"threads": 2},
            ),
        ),
    ),
    Scene(
        "gthread",
        (
            Case(
                "worker_class",
                "`gthread`: the worker's name, `wsgi.multithread`, `Connection`",
                lambda stage: (
                    stage.lines("Using worker"),
                    stage.environ()["wsgi.multithread"],
                    kept(stage),
                ),
                set={"worker_class": "gthread"},
                short="gthread",
            ),
        ),
    ),
    Scene(
        "keep-alive",
        (
            Case(
                "keepalive",
                "`Connection` of a gthread worker's answer with 0",
                kept,
                set={"keepalive": 0},
            ),
        ),
        base={"worker_class": "gthread", "threads": 2},
    ),
    Scene(
        "connections",
        (
            Case(
                "worker_connections",
                "gthread with no more than its threads: the warning, `Connection`",
                lambda stage: (stage.lines("keepalived"), kept(stage)),
                set={"worker_connections": 2},
            ),
        ),
        base={"worker_class": "gthread", "threads": 2},
    ),
    Scene(
        "stuck",
        (
            Case(
                "timeout",
                "a request that takes longer: the answer, the log lines, a new worker",
                murdered,
                set={"timeout": 1},
            ),
        ),
    ),
    Scene(
        "threads that are slow",
        (
            Case(
                "timeout",
                "gthread: a request that takes longer is answered",
                # Gunicorn's main thread waits for a second, and then beats: 1 s would be a race.
                lambda stage: (stage.call("/sleep/5"), stage.lines("WORKER TIMEOUT")),
                set={"timeout": 3},
                vacuous="a thread's request is not limited",
                short="gthread",
            ),
            Case(
                "max_requests",
                "gthread: the log line; another worker",
                generations,
                set={"max_requests": 3},
                short="gthread",
            ),
        ),
        base={"threads": 2, "keepalive": 0},
    ),
    Scene(
        "stop",
        (
            Case(
                "graceful_timeout",
                "TERM during a longer request: the answer, exit code, log lines",
                ended_in_time,
                set={"graceful_timeout": 1},
            ),
        ),
    ),
)
