"""Tells in JSON what a worker process and its requests look like from inside.

`/facts` is the whole of it; the other paths do something that a setting has a say in. A config file
may put the worker into `worker` (its hook `post_worker_init` has it).
"""

import io
import json
import os
import socket
import struct
import sys
import threading
import time

IMPORTED_BY = os.getpid()
worker = None
meeting = threading.Barrier(2)

# The kernel's `struct tcp_info` of a listener: eight single bytes, then numbers of four bytes, of
# which the sixth is the greatest length of its queue.
TCP_INFO_BACKLOG = 8 + 5 * 4


class Counted(io.FileIO):
    """A file that knows how often somebody read from it; sendfile(2) does not."""

    reads = 0

    def read(self, size=-1):
        Counted.reads += 1
        return super().read(size)


def listener():
    if worker is None:
        return None
    sock = worker.sockets[0].sock
    facts = {"reuse_port": bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))}
    if sock.family != socket.AF_UNIX:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        (facts["backlog"],) = struct.unpack_from("I", info, TCP_INFO_BACKLOG)
    return facts


def open_files():
    """What the descriptors of this process lead to, numbers and addresses left out."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{entry}"))
        except OSError:
            continue
    return sorted(name for name in found if name.startswith("/"))


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def facts():
    with open("/proc/self/cmdline", "rb") as cmdline:
        title = cmdline.read().replace(b"\0", b" ").decode().strip()
    return {
        "cwd": os.getcwd(),
        "env": dict(os.environ),
        "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        "imported": "by the worker" if os.getpid() == IMPORTED_BY else "before the fork",
        "listener": listener(),
        "max_requests": getattr(worker, "max_requests", None),
        "open_files": open_files(),
        "path": sys.path,
        "pid": os.getpid(),
        "title": title,
        "umask": umask(),
    }


def plain(environ):
    kinds = (str, int, bool)
    return {name: value for name, value in environ.items() if isinstance(value, kinds)}


def app(environ, start_response):
    name, _, argument = environ["PATH_INFO"].lstrip("/").partition("/")
    if name == "facts":
        answer = facts()
    elif name == "sleep":
        open(f"{argument}.started", "w").close()
        time.sleep(float(argument))
        answer = "slept"
    elif name == "meet":
        try:
            meeting.wait(float(argument))
            answer = "met"
        except threading.BrokenBarrierError:
            meeting.reset()
            answer = "alone"
    elif name == "print":
        print("printed by the application", flush=True)
        print("complained by the application", file=sys.stderr, flush=True)
        answer = "printed"
    elif name == "body":
        answer = [len(environ["wsgi.input"].read(10)), open_files()]
    elif name == "reads":
        answer = Counted.reads
    elif name == "hello":
        answer = "hello"
    elif name == "file":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](Counted(__file__))
    else:
        answer = plain(environ)
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Probe", "yes")])
    return [body]


def other(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"other"]
