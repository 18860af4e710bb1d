"""What is lost when workers are killed at random moments under load, and whether the log names it.

    python benches/load/killed.py sync_keepalive 150
    python benches/load/killed.py gthread 150 --keeper --clients 48 --upload 300000

Three workers, and clients on loopback that ask for a path of their own each time. Prints what
failed, which of that is not in the error log, and who is named there though he has got his answer.
`python` is the one with rgunicorn.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from pathlib import Path

WORKERS = 3
KINDS = {
    "sync": [],
    "sync_keepalive": ["--sync-keepalive"],
    "gthread": ["-k", "gthread", "--threads", "4"],
}
# What it has been sent is what it answers.
APP = """
import zlib

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "8")])
    return [b"%08x" % zlib.crc32(environ["wsgi.input"].read())]
"""
# An upload is sent in so many pieces.
PIECES = 5
LOST = re.compile(r"Lost request: (.*?) \((.*?phase: [^,]*)")


class Client(threading.Thread):
    """Asks until it is told to stop, on one connection as long as that lives.

    Args:
        name: the first part of its paths.
        port: where the server is.
        stop: says when.
        kept: whether connections are kept.
        upload: bytes of a body.
    """

    def __init__(
        self, name: str, port: int, stop: threading.Event, kept: bool, upload: int
    ) -> None:
        super().__init__(name=name)
        self.port, self.stop, self.kept = port, stop, kept
        self.body = random.randbytes(upload)
        self.answer = b"\r\n\r\n%08x" % zlib.crc32(self.body)
        self.answered = 0
        self.failed: list[str] = []
        self.sock: socket.socket | None = None

    def run(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            path = f"/{self.name}/{number}"
            try:
                self.ask(path)
                self.answered += 1
            except OSError as exc:
                self.failed.append(f"{path} {exc!r}")
                self.leave()

    def ask(self, path: str) -> None:
        if self.sock is None:
            self.sock = socket.create_connection(("127.0.0.1", self.port), 10)
        connection = "keep-alive" if self.kept else "close"
        method = "POST" if self.body else "GET"
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}Connection: {connection}\r\n\r\n"
        raw = head.encode() + self.body
        size = -(-len(raw) // (PIECES if self.body else 1))
        for at in range(0, len(raw), size):
            self.sock.sendall(raw[at : at + size])
        data = b""
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < 8:
            more = self.sock.recv(4096)
            if not more:
                raise ConnectionError("the end", data)
            data += more
        if not data.startswith(b"HTTP/1.1 200 ") or not data.endswith(self.answer):
            raise ConnectionError("not what was sent", data)
        if not self.kept or b"Connection: close" in data:
            self.leave()

    def leave(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None


def children(pid: int) -> list[int]:
    """The workers. A keeper is here for a moment after its worker's end."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    names = {int(word): Path(f"/proc/{word}/comm") for word in text.split()}
    return [pid for pid, name in names.items() if name.read_text() != "rgunicorn-keep\n"]


def pss(pid: int) -> int:
    """KiB of memory that are the process's and its descendants', shared ones in parts."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    offspring = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = int(rollup.partition("\nPss:")[2].split()[0])
    return own + sum(pss(int(word)) for word in offspring)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "kills", type=int, help="how many workers are killed, one each quarter of a second"
    )
    parser.add_argument("--keeper", action="store_true", help="with worker_keeper")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--upload", type=int, default=0, help="bytes of a body")
    asked = parser.parse_args()
    port, stop = free_port(), threading.Event()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "app.py").write_text(APP)
        keeper = ["--worker-keeper"] * asked.keeper
        argv = [
            *keeper,
            "-w",
            str(WORKERS),
            "-b",
            f"127.0.0.1:{port}",
            *KINDS[asked.kind],
            "app:app",
        ]
        with (directory / "log").open("w") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "rgunicorn", *argv], cwd=name, stdout=log, stderr=log
            )
        time.sleep(2)
        print(f"PSS of the server: {pss(server.pid)} KiB")
        kept = asked.kind != "sync"
        names = [f"client{n}" for n in range(asked.clients)]
        clients = [Client(name, port, stop, kept, asked.upload) for name in names]
        try:
            for client in clients:
                client.start()
            killed = 0
            while killed < asked.kills:
                time.sleep(random.uniform(0.15, 0.35))
                workers = children(server.pid)
                if len(workers) == WORKERS:
                    os.kill(random.choice(workers), signal.SIGKILL)
                    killed += 1
            time.sleep(1)
        finally:
            stop.set()
            for client in clients:
                client.join()
            server.terminate()
            server.wait(60)
        lost = LOST.findall((directory / "log").read_text())
    failed = [line for client in clients for line in client.failed]
    named = {words.split()[-1] for words, _ in lost}
    unnamed = [line for line in failed if line.split()[0] not in named]
    paths = {line.split()[0] for line in failed}
    beside = [f"{words} ({details}" for words, details in lost if words.split()[-1] not in paths]
    answered = sum(client.answered for client in clients)
    print(f"{asked.kind}: {asked.kills} kills, {answered} answered, {len(failed)} failed")
    phases = Counter(
        phase.partition("phase: ")[2] for words, phase in lost if words.split()[-1] in paths
    )
    print(f"{len(unnamed)} of these named by no path; the others: {dict(phases)}")
    print(*(f"  not named: {line}" for line in unnamed), sep="\n")
    print(*(f"  named beside: {line}" for line in beside), sep="\n")


if __name__ == "__main__":
    main()
