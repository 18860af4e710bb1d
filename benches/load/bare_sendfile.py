"""What sendfile(2) alone costs on this machine, for files of a megabyte to a gigabyte.

    python benches/load/bare_sendfile.py

A process that does nothing else sends a file again and again to one client on loopback, on a core
of its own, as a server without HTTP and WSGI would: when it is asked, as much as the socket takes,
a megabyte at most a call, then it waits for room. Prints its CPU time per response and per MiB, and
the calls: with as much in flight as the kernel likes, and with SO_SNDBUF.
"""

from __future__ import annotations

import argparse
import itertools
import os
import select
import socket
import sys
import tempfile
import time

MIB = 1 << 20
SIZES = (1, 32, 1024)
FLIGHTS = (0, 256)
_PER_CALL = MIB


def send(sock: socket.socket, file: int, size: int) -> int:
    """All of the file; how many calls that took."""
    poller = select.epoll()
    poller.register(sock, select.EPOLLOUT | select.EPOLLET)
    offset = calls = 0
    while offset < size:
        try:
            calls += 1
            offset += os.sendfile(sock.fileno(), file, offset, min(_PER_CALL, size - offset))
        except BlockingIOError:
            poller.poll()
    poller.close()
    return calls


def ask(sock: socket.socket, core: int, size: int) -> None:
    """Again and again, until the other side has gone."""
    os.sched_setaffinity(0, {core})
    buffer = bytearray(MIB)
    while True:
        try:
            sock.sendall(b"?")
        except OSError:
            return
        left = size
        while left:
            try:
                got = sock.recv_into(buffer)
            except ConnectionResetError:
                return
            if not got:
                return
            left -= got


def answer(sock: socket.socket, file: int, size: int) -> int:
    """One response, when it is asked for; how many calls that took."""
    select.select([sock], [], [])
    sock.recv(1)
    return send(sock, file, size)


def measure(size: int, flight: int, seconds: float, cores: tuple[int, int]) -> tuple[float, float]:
    """CPU microseconds and calls per response.

    Args:
        flight: bytes for SO_SNDBUF; 0 leaves it alone.
    """
    with tempfile.TemporaryFile() as file, socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(size // MIB):
            file.write(b"f" * MIB)
        file.flush()
        client = socket.create_connection(listener.getsockname())
        sock, _ = listener.accept()
        child = os.fork()
        if child == 0:
            sock.close()
            listener.close()
            ask(client, cores[1], size)
            os._exit(0)
        client.close()
        with sock:
            sock.setblocking(False)
            if flight:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, flight)
            os.sched_setaffinity(0, {cores[0]})
            # So that it lies in memory.
            answer(sock, file.fileno(), size)
            before, began, responses, calls = os.times(), time.monotonic(), 0, 0
            while not responses or time.monotonic() - began < seconds:
                calls += answer(sock, file.fileno(), size)
                responses += 1
            after = os.times()
        os.waitpid(child, 0)
    used = after.user - before.user + after.system - before.system
    return used / responses * 1e6, calls / responses


def main() -> int:
    parser = argparse.ArgumentParser(description="CPU time of sendfile(2) alone.")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each size (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of all sizes in turn (3)")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("error: it takes two cores, one for the client", file=sys.stderr)
        return 1
    for number in range(args.rounds):
        for size, flight in itertools.product(SIZES, FLIGHTS):
            bytes_in_flight = flight << 10
            used, calls = measure(size * MIB, bytes_in_flight, args.seconds, (cores[0], cores[1]))
            limit = f"{flight} KiB" if flight else "-"
            print(
                f"round {number + 1}: {size:5} MiB, SO_SNDBUF {limit:>7}"
                f"  {used:11,.0f} µs  {used / size:6,.0f} µs/MiB  {calls:8,.0f} calls",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
