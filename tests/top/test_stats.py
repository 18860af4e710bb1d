"""`rgunicorn stats`: a running server as it is, by pid or pidfile, without a setting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.proc import descriptors
from harness.server import Command, Server, Spawn, children, clean_environment
from harness.wait import until
from harness.wire import Wire, ask, get
from rgunicorn import __version__
from rgunicorn.app import stats
from top.looking import at_the_gate, currents, gate, look, run, told


def test_running_requests_are_named(server: Server) -> None:
    with at_the_gate(server, "one", "two", "three"):
        document = look(server.pid)
        paths = sorted(it["path"] for it in currents(document))
        assert paths == sorted(gate(server, name) for name in ("one", "two", "three"))
        first = currents(document)[0]
        assert (first["method"], first["phase"], first["peer"]) == ("GET", "app", "127.0.0.1")
        assert first["age"] > 0
        busy = sorted(worker["running"] for worker in document["workers"])
        assert busy == [1, 2] and document["totals"]["room"] == 4
        assert {worker["state"] for worker in document["workers"]} == {"busy"}
        pids = {worker["pid"] for worker in document["workers"]}
        assert pids == set(server.workers())
        for worker in document["workers"]:
            assert worker["rss"] > worker["pss"] > 1 << 20 and worker["cpu_time"] > 0
        text = run("stats", server.pid).stdout
        assert f"GET {gate(server, 'two')}" in text and "in the app" in text
        assert "\x1b" not in text
    until(lambda: currents(look(server.pid)) == [], "no request to run")
    assert {worker["state"] for worker in look(server.pid)["workers"]} == {"idle"}


def test_counts_are_exact(server: Server) -> None:
    before = look(server.pid)["totals"]
    for path, times in (("/hello", 8), ("/raise", 2)):
        for _ in range(times):
            ask(server.address, get(path))
    # The request is counted when its last byte has gone, which the client may see before.
    until(
        lambda: look(server.pid)["totals"]["requests"] == before["requests"] + 10,
        "ten requests to be counted",
    )
    now = look(server.pid)["totals"]
    more = {key: n - before["responses"][key] for key, n in now["responses"].items()}
    assert more == {"1xx": 0, "2xx": 8, "3xx": 0, "4xx": 0, "5xx": 2}
    assert now["bytes_in"] > before["bytes_in"] and now["bytes_out"] > before["bytes_out"]
    assert now["times"]["app"]["count"] == before["times"]["app"]["count"] + 10
    assert 0 < now["times"]["whole"]["p50"] <= now["times"]["whole"]["p99"]


def test_per_second_needs_two_looks(server: Server) -> None:
    assert "rates" not in look(server.pid)
    with at_the_gate(server, "slow"):
        document = told(server.pid, "--interval", "0.3")
        assert document["interval"] >= 0.3
        # One of four threads, all the time; the clock of the scoreboard has a grain.
        assert 0.1 < document["rates"]["utilisation"] < 0.5
        assert document["rates"]["requests"] == 0
        text = run("stats", server.pid, "-i", "0.2").stdout
        assert "requests/s" in text and "REQ/S" in text


def test_a_reader_that_has_seen_enough(server: Server) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-m", "rgunicorn", "stats", str(server.pid)]
    done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, env=clean_environment())
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_happens_between_two_looks(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = spawn("kitchen:app")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    # Its own clock only: `server.end` waits by the real one.
    monkeypatch.setattr(stats, "time", SimpleNamespace(sleep=interrupted))
    assert stats.main(["-i", "60", str(server.pid)]) == 130
    monkeypatch.setattr(stats, "time", SimpleNamespace(sleep=lambda seconds: server.end()))
    assert stats.main(["-i", "60", str(server.pid)]) == 1
    assert capsys.readouterr() == ("", "rgunicorn stats: the server has just ended\n")


def test_by_pidfile_and_by_worker(server: Server) -> None:
    pidfile = server.directory / "master.pid"
    for words in ((server.pid,), ("-p", pidfile), (pidfile,), (server.workers()[1],)):
        assert told(*map(str, words))["server"]["pid"] == server.pid
    done = run("stats", "master.pid", cwd=server.directory)
    assert done.stdout.startswith(f"rgunicorn {__version__}  pid {server.pid}  up "), done
    assert f"127.0.0.1:{server.address[1]}" in done.stdout.split("\n")[0]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process with nothing to do. Not this one: other tests may have left a scoreboard in it."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process


def test_what_is_no_server_is_said(
    server: Server, tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "stale.pid").write_text("4194300\n")
    (tmp_path / "odd.pid").write_text("\x1b[2Jno number")
    for words, error in (
        (("4194300",), "no process 4194300: the server is not running"),
        ((tmp_path / "stale.pid",), "no process 4194300 of "),
        ((tmp_path / "odd.pid",), r"is no pidfile: it says '\x1b[2Jno number'"),
        ((tmp_path / "none.pid",), "No such file or directory"),
        ((bystander.pid,), f"process {bystander.pid} is no rgunicorn: "),
    ):
        done = run("stats", *map(str, words))
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.startswith("rgunicorn stats: ") and error in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert run("stats", "--interval", "nan", server.pid).returncode == 2
    assert run("stats", "1", "-p", "x").returncode == 2


def test_a_module_of_that_name_is_the_application(tmp_path: Path) -> None:
    (tmp_path / "stats.py").write_text("application = 5\n")
    done = run("stats", "--check-config", cwd=tmp_path)
    assert "Application object must be callable" in done.stderr, done


def test_several_servers_are_listed(spawn: Spawn, server: Server) -> None:
    # Others may be running here as well: the test is about these two.
    other = spawn("kitchen:app")
    done = run("stats")
    assert done.returncode == 1 and "servers are running here: say which" in done.stderr
    for it in (server, other):
        (line,) = [it_ for it_ in done.stderr.split("\n") if it_.split()[:1] == [str(it.pid)]]
        assert f"127.0.0.1:{it.address[1]}" in line and len(line.split()) > 2
    assert look(other.pid)["server"]["pid"] == other.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("of", ["master", "worker"])
def test_another_user_is_refused(server: Server, of: str) -> None:
    pid = server.pid if of == "master" else server.workers()[0]
    # The interpreter may lie where nobody else can read: all is imported before.
    script = """
import os, pwd, sys
from rgunicorn.app import stats
stats.main(["4194300"])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(stats.main(sys.argv[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(pid)],
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert done.returncode == 1
    assert f"process {pid} is of user root" in done.stderr
    assert "only that user and root may look at it" in done.stderr
    # Nothing of others is found, and that is no error of ours.
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment()
    )
    assert done.returncode == 1 and "no rgunicorn of user " in done.stderr, done.stderr


def test_a_board_in_a_directory_is_found(spawn: Spawn, tmp_path: Path) -> None:
    server = spawn("kitchen:app", settings={"worker_tmp_dir": str(tmp_path)})
    with at_the_gate(server, "in"):
        (it,) = currents(look(server.pid))
        assert it["path"] == gate(server, "in")


INSIDE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def has_namespaces() -> bool:
    try:
        return subprocess.run([*INSIDE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_namespaces(), reason="unshare(1) and the right to use it are needed")
def test_a_server_in_a_container_has_other_pids_there(spawn: Spawn, command: Command) -> None:
    inside = Command((*INSIDE, *command.argv), command.name)
    server = spawn("kitchen:app", command=inside, settings={"workers": 1})
    (master,) = server.workers()
    until(lambda: children(master), "its worker")
    with Wire(server.address) as wire:
        wire.send(get(gate(server, "in")))
        until(lambda: currents(look(master)), "the request to run")
        document = look(children(master)[0])
        assert document["server"]["pid"] == master
        (worker,) = document["workers"]
        # As its own server knows it; its memory is found all the same.
        assert worker["pid"] < 10 and worker["rss"] > 1 << 20
        (server.directory / "in").touch()
        assert wire.response().status == 200


def test_sync_and_a_worker_that_was_killed(spawn: Spawn) -> None:
    server = spawn("kitchen:app", settings={"workers": 2})
    for _ in range(4):
        ask(server.address, get("/hello"))
    until(lambda: look(server.pid)["totals"]["requests"] == 4, "four requests to be counted")
    before = server.workers()
    with at_the_gate(server, "kept"):
        (busy,) = [it for it in look(server.pid)["workers"] if it["state"] == "busy"]
        idle = next(pid for pid in before if pid != busy["pid"])
        os.kill(idle, signal.SIGKILL)

        def successor() -> bool:
            workers = look(server.pid)["workers"]
            now = {worker.get("pid") for worker in workers}
            return idle not in now and sum(it["state"] in ("idle", "busy") for it in workers) == 2

        until(successor, "a successor", show=server.log)
        document = look(server.pid)
        assert sum(worker["restarts"] for worker in document["workers"]) == 1
        # What the dead one has counted still counts.
        assert document["totals"]["requests"] == 4
        assert [it["path"] for it in currents(document)] == [gate(server, "kept")]
        # Its memory has gone with it.
        assert flights(server.pid) == 2
    os.kill(idle := server.workers()[0], signal.SIGKILL)
    until(lambda: idle not in server.workers(), "it to be buried")


def flights(pid: int) -> int:
    return descriptors(pid).count("/memfd:rgunicorn-flights (deleted)")


def test_the_master_keeps_one_descriptor_a_worker_and_workers_none(spawn: Spawn) -> None:
    server = spawn("kitchen:app", settings={"workers": 2})
    assert flights(server.pid) == 2
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    until(lambda: before.isdisjoint(server.workers()), "new workers", show=server.log)
    until(lambda: flights(server.pid) == 2, "the old ones to be buried")
    server.send_signal(signal.SIGTTIN)
    until(lambda: len(server.workers()) == 3, "a third worker")
    until(lambda: flights(server.pid) == 3, "what it runs to be shown")
    # A worker closes it as its first act.
    until(lambda: not any(map(flights, server.workers())), "no worker to have any")


CROWDED = """
import resource

def on_starting(server):
    used = len(__import__("os").listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 70, used + 70))
"""


def test_descriptors_that_are_few_are_left_to_the_master(spawn: Spawn) -> None:
    server = spawn("kitchen:app", settings={"workers": 12}, config=CROWDED)
    assert 0 < flights(server.pid) < 12
    document = look(server.pid)
    assert sum("current" in worker for worker in document["workers"]) == flights(server.pid)
    assert "Some workers do not show the requests that they run." in run("stats", server.pid).stdout
    assert ask(server.address, get("/hello")).status == 200
    server.assert_clean_exit()


def test_while_it_reloads(spawn: Spawn) -> None:
    server = spawn("kitchen:app", settings={"workers": 2, "graceful_timeout": 20})
    with at_the_gate(server, "old"):
        (pid,) = [it["pid"] for it in look(server.pid)["workers"] if it["state"] == "busy"]
        server.send_signal(signal.SIGHUP)
        # The old worker finishes what it runs beside the new ones.
        until(lambda: look(server.pid)["server"]["workers_ready"] == 3, "three workers")
        document = look(server.pid)
        assert pid in {worker.get("pid") for worker in document["workers"]}
        assert [it["path"] for it in currents(document)] == [gate(server, "old")]
    until(lambda: look(server.pid)["server"]["workers_alive"] == 2, "two workers")
    gone = [worker for worker in look(server.pid)["workers"] if worker["state"] == "gone"]
    assert gone and all("pid" not in worker for worker in gone)
    assert "slots without a worker" in run("stats", server.pid).stdout
    assert children(server.pid)


def test_what_a_client_sends_steers_no_terminal(server: Server) -> None:
    name = "a%1b[2Jb"
    path = f"/gate{server.directory}/{name}"
    with Wire(server.address) as wire:
        # Raw in the target where the parser lets it pass, else percent-encoded: both are shown.
        wire.send(get(path, "X-Request-ID: [bold]\x9b31m"))
        until(lambda: currents(look(server.pid)), "the request to run")
        text = run("stats", server.pid).stdout
        assert path in text and "\x1b" not in text and "\x9b" not in text
        (server.directory / "a\x1b[2Jb").touch()
        assert wire.response().status == 200
