"""Projects and platforms that lean on how the server behaves as a set of processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.wire import Wire, ask, get
from parity import normal
from realconfigs.conftest import Both
from realconfigs.deployment import Deployment, Record

READY = "[ready] gunicorn: worker [airflow-webserver]"


def test_airflow(both: Both) -> None:
    """Its monitor counts ready workers by their titles, adds one and takes the oldest away."""

    def story(site: Deployment) -> Record:
        site.wait_workers(2, READY)
        seen: Record = {"titles": site.titles(), "pidfile": site.file("airflow-webserver.pid")}
        first, second = site.workers()
        site.signal(signal.SIGTTIN)
        site.wait_workers(3, READY)
        site.signal(signal.SIGTTOU)
        site.wait_workers(2, READY)
        seen["the oldest is gone"] = first not in site.workers() and second in site.workers()
        os.kill(second, signal.SIGKILL)
        site.wait_log("Perhaps out of memory?")
        site.wait_workers(2, READY)
        return seen | {
            "answers": [site.get("/health"), site.get("/nothing")],
            "exit": site.stop(),
            "pidfile after": site.file("airflow-webserver.pid"),
            "log": site.log_lines(),
        }

    seen = both("airflow", story)
    assert seen["titles"] == ["gunicorn: master [airflow-webserver]", READY, READY]
    assert seen["the oldest is gone"]


def test_odoo(both: Both) -> None:
    """A hook that retires workers, and a report that takes longer than anything else."""

    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        seen: Record = {"titles": site.titles(), "pidfile": site.file(".gunicorn.pid")}
        before = set(site.workers())
        seen["answer"] = site.get("/greedy")
        site.wait(lambda: len(before - set(site.workers())) == 1, "a worker to be replaced")
        site.wait_workers(2)
        seen["pids known"] = int(ask(site.address, get("/pid")).body) in site.workers()
        with Wire(site.address) as wire:
            wire.send(get("/report"))
            site.wait(lambda: site.file("begun") is not None, "the report to be begun")
            site.signal(signal.SIGTERM)
            site.wait_log("Handling signal: term")
            (site.directory / "report.data").touch()
            seen["report"] = normal.response(wire.response())
        return seen | {
            "exit": site.exit_code(),
            "pidfile after": site.file(".gunicorn.pid"),
            "log": site.log_lines(),
        }

    seen = both("odoo", story, env={"ODOO_PORT": "{port}"})
    assert seen["pids known"]


def test_heroku(both: Both) -> None:
    """The port and the number of workers come from the environment; TERM goes to all processes."""

    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        router = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto:")
        seen: Record = {
            "titles": site.titles(),
            "answers": [
                site.get("/", f"{router[1]} https", router[0]),
                site.get("/", f"{router[1]} http", router[0]),
                site.get("/"),
                # One header of the router decides; this is not it.
                site.get("/", "X-Forwarded-Ssl: on"),
            ],
        }
        for pid in (site.pid, *site.workers()):
            os.kill(pid, signal.SIGTERM)
        return seen | {"exit": site.exit_code(), "log": site.log_lines()}

    cmd_args = "--access-logfile - --access-logformat '%(r)s %(s)s'"
    both("heroku", story, env={"WEB_CONCURRENCY": "2", "GUNICORN_CMD_ARGS": cmd_args})


NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
# The interpreter of the tests may lie where only root looks.
LOOKS = ("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")


def test_docker(both: Both) -> None:
    """No root, the heartbeat in /dev/shm, logs to stdout and stderr, orphans of the application."""

    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        seen: Record = {
            "titles": site.titles(),
            "user": sorted({Path(f"/proc/{pid}").stat().st_uid for pid in site.workers()}),
            "answers": [site.get("/"), site.get("/orphan", f"X-Master: {site.pid}")],
        }
        site.wait(lambda: not zombies(site.pid), "the orphan to be buried")
        seen["exit"] = site.stop()
        seen["log"] = site.log_lines()
        seen["left in /dev/shm"] = [name for name in os.listdir("/dev/shm") if "gunicorn" in name]
        return seen

    seen = both("docker", story, prefix=(*NOBODY, *LOOKS, "--") if os.geteuid() == 0 else ())
    assert seen["user"] == [65534 if os.geteuid() == 0 else os.geteuid()]


def zombies(parent: int) -> list[str]:
    """Dead children of a process that it has not asked about."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if (fields[0], fields[1]) == ("Z", str(parent)):
                found.append(stat.parent.name)
    return found


@pytest.fixture
def notified(tmp_path: Path) -> Iterator[socket.socket]:
    """Where the service manager would listen for READY=1."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        yield manager


# What systemd does between fork and exec.
ACTIVATE = 'exec 3<&"$SOCKET" && LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


def test_systemd(both: Both, tmp_path: Path, notified: socket.socket) -> None:
    """A socket that the service manager has opened outlives its service."""
    path = str(tmp_path / "shop.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        def story(site: Deployment) -> Record:
            ready = notified.recv(4096).decode().split("\n")
            site.wait_workers(2)
            seen: Record = {
                "ready": "READY=1" in ready,
                "titles": site.titles(),
                "pidfile": site.file("shop.pid"),
                "answer": site.answer(get("/"), path),
            }
            site.reload(2)
            seen["after"] = site.answer(get("/"), path)
            seen["exit"] = site.stop()
            seen["pidfile after"] = site.file("shop.pid")
            seen["socket stays"] = os.path.exists(path)
            drain(notified)
            return seen | {"log": site.log_lines()}

        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "SOCKET": str(listening.fileno())}
        seen = both(
            "systemd",
            story,
            env=env,
            fds=(listening.fileno(),),
            prefix=("bash", "-c", ACTIVATE, "activate"),
            one_by_one=True,
        )
    assert seen["ready"] and seen["socket stays"]


def drain(sock: socket.socket) -> list[bytes]:
    """Takes what has arrived: nothing of one server is for the next."""
    waits, found = sock.gettimeout(), []
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(sock.recv(4096))
    sock.settimeout(waits)
    return found


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    """The agent on the node, which counts what the service does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", 0))
        yield agent


def metrics(agent: socket.socket) -> dict[str, list[str] | list[bool]]:
    """What has been sent so far, by name; of durations only that they are there.

    Of workers whether two were told of: for a moment there is one less after one that died young
    (difference respawn-pause), and one more while one is replaced (difference replaced-in-service).
    """
    found: dict[str, list[str]] = {}
    for datagram in drain(agent):
        name, _, value = datagram.decode().partition(":")
        found.setdefault(name, []).append("ms" if value.endswith("|ms") else value)
    return {
        name: sorted(values) if not name.endswith(".workers") else ["2|g" in values]
        for name, values in found.items()
    }


def test_kubernetes(both: Both, statsd: socket.socket) -> None:
    """An application loaded before the fork, a hook for everything, an end that waits, StatsD."""

    def story(site: Deployment) -> Record:
        site.wait_workers(2)
        seen: Record = {"titles": site.titles(), "ready": site.file("ready")}
        boots = site.boots()
        with Wire(site.address) as wire:
            answers = [normal.response(wire.send(get("/")).response()) for _ in range(3)]
        # Difference replaced-in-service: at max_requests the worker serves on until its successor
        # is ready, and does not close.
        last = answers[-1]["headers"]
        assert ("Connection", "close") in last or not site.command.is_gunicorn
        answers[-1]["headers"] = [field for field in last if field[0] != "Connection"]
        seen["answers"] = answers
        site.wait(lambda: site.boots() == boots + 1, "a worker to be replaced")
        site.wait_workers(2)
        site.reload(2)
        with Wire(site.address) as wire:
            wire.send(get("/slow"))
            site.wait(lambda: site.file("begun") is not None, "the request to be begun")
            site.signal(signal.SIGTERM)
            slow = wire.response()
            seen["slow"] = (slow.status, slow.body)
            # Difference stop-says-close.
            assert slow.header("Connection") == "close" or site.command.is_gunicorn
        seen["exit"] = site.exit_code()
        hooks = (site.file("hooks.log") or "").splitlines()
        return seen | {
            "ready after": site.file("ready"),
            # Difference replaced-in-service: the successor is forked before the end of the worker.
            "hooks of the master": sorted(line for line in hooks if line.startswith("master")),
            "hooks of workers": sorted(line for line in hooks if line.startswith("worker")),
            "log": site.log_lines(),
            "metrics": metrics(statsd),
        }

    host, port = statsd.getsockname()
    seen = both("kubernetes", story, env={"STATSD_HOST": f"{host}:{port}"}, one_by_one=True)
    assert "shop.gunicorn.requests" in seen["metrics"]  # type: ignore[operator]
    assert seen["ready"] == "" and seen["ready after"] is None
