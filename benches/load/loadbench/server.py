"""One running server: started pinned to a core, stopped by its pids whatever happens."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from loadbench import procfs
from loadbench.answers import check_answer, connect, read_answer
from loadbench.errors import BenchError
from loadbench.paths import APPS, BENCH
from loadbench.peer import Launch, Peer
from loadbench.scenarios import HELLO_KEPT, Scenario
from loadbench.tls import certificate

_BOOT_LIMIT_S = 20.0
_STOP_LIMIT_S = 10.0
_RETRY_S = 0.0005


class Server:
    """Context manager around one process tree.

    `boot_seconds` is the time from the start of the program to the end of its first response.
    `connections` is how many the server is asked to be able to hold idle, None leaves its default.
    `cores` is one or a list as taskset(1) reads it; `preload` as in Launch.
    """

    def __init__(
        self,
        peer: Peer,
        cores: int | str,
        scenario: Scenario = HELLO_KEPT,
        *,
        workers: int = 1,
        threads: int = 4,
        connections: int | None = None,
        preload: bool | None = None,
    ):
        self._scenario = scenario
        self._peer = peer
        self._cores = str(cores)
        self._workers = workers
        self._threads = scenario.threads or threads
        self._connections = connections
        self._preload = preload
        self.boot_seconds = 0.0
        self.port = 0

    def __enter__(self) -> Server:
        (BENCH / "runs").mkdir(parents=True, exist_ok=True)
        self._directory = tempfile.TemporaryDirectory(prefix="run-", dir=BENCH / "runs")
        self._output = Path(self._directory.name) / "output.log"
        self.port = _free_port()
        log = Path(self._directory.name) / "access.log"
        self.access_log = log if self._scenario.access_log else None
        launch = Launch(
            port=self.port,
            app=self._scenario.app,
            workers=self._workers,
            threads=self._threads,
            access_log=self.access_log,
            connections=self._connections,
            certificate=certificate() if self._scenario.tls else None,
            preload=self._preload,
        )
        command = ["taskset", "-c", self._cores, *self._peer.command(launch)]
        with self._output.open("wb") as output:
            started = time.perf_counter()
            self._process = subprocess.Popen(
                command,
                cwd=APPS,
                env=_environment(self._directory.name),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._await_answer(started)
            self.boot_seconds = time.perf_counter() - started
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        if kind is not None:
            print(f"  output of {self._peer.name}:\n{self.output()}")
        self._stop()

    @property
    def pids(self) -> list[int]:
        """Master and workers."""
        return procfs.process_tree(self._process.pid)

    @property
    def serving_pids(self) -> list[int]:
        """The processes that answer requests."""
        return procfs.leaves(self._process.pid)

    @property
    def name(self) -> str:
        """The peer's."""
        return self._peer.name

    def reload(self) -> None:
        """Tells the first process to load the application anew; for peers with `reload_signal`."""
        if self._peer.reload_signal is None:
            raise BenchError(f"{self.name} has no signal that reloads")
        self._process.send_signal(self._peer.reload_signal)

    def await_workers(self, count: int) -> None:
        """Waits until `count` processes serve; raises BenchError when they never do."""
        end = time.monotonic() + _BOOT_LIMIT_S
        while len(self.serving_pids) < count:
            if time.monotonic() > end:
                raise BenchError(f"only {len(self.serving_pids)} of {count} workers")
            time.sleep(0.05)

    def output(self) -> str:
        """The end of what the server printed."""
        return self._output.read_text(errors="replace")[-3000:]

    def _await_answer(self, started: float) -> None:
        while time.perf_counter() - started < _BOOT_LIMIT_S:
            if self._process.poll() is not None:
                break
            try:
                sock = connect(self.port, self._scenario, _BOOT_LIMIT_S)
            except ConnectionRefusedError:
                time.sleep(_RETRY_S)
                continue
            with sock:
                sock.sendall(self._scenario.request(self.port, close=True))
                check_answer(read_answer(sock), self._scenario)
                return
        raise BenchError(f"{self._peer.name} did not start:\n{self.output()}")

    def _stop(self) -> None:
        pids = self.pids
        if self._process.poll() is None:
            self._process.send_signal(self._peer.stop_signal)
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            print(f"  {self._peer.name}: did not stop on {self._peer.stop_signal.name}, killed")
        # Only processes of the session this object made: a pid may have been given away since.
        for pid in pids:
            try:
                if os.getsid(pid) == self._process.pid:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has ended by itself, as it should
        self._process.wait()
        self._directory.cleanup()


def _environment(home: str) -> dict[str, str]:
    """Nothing of the caller's: a WEB_CONCURRENCY or PYTHON* of his shell would be measured too.

    HOME is private because Gunicorn's control socket has one path per user.
    """
    return {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}


def _free_port() -> int:
    """Below the kernel's ephemeral range: above it a client's connection may take it meanwhile."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock:
            # As servers do: a port in TIME_WAIT is free.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
