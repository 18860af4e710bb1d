"""An application that kills its worker, or hangs in ways that no Python signal handler ends."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import tempfile
import time


def die_segv():
    ctypes.string_at(0)


def die_bus():
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        file.truncate(0)
        return page[0]


def die_fpe():
    # To this thread: one for the whole process may go to another, and we would go on.
    signal.raise_signal(signal.SIGFPE)


def die_abort():
    ctypes.CDLL(None).abort()


def die_kill():
    os.kill(os.getpid(), signal.SIGKILL)


def die_exit():
    os._exit(7)


def die_leave():
    os._exit(0)


def eat():
    held = []
    while True:
        held.append(b"x" * (4 << 20))


def hang():
    """In C code that holds the GIL: a lock that is taken twice. No signal ends such a wait."""
    libc = ctypes.PyDLL(None)
    lock = ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)


class Closing:
    """A body whose `close` is the end of the worker."""

    def __init__(self, pieces):
        self._pieces = pieces

    def __iter__(self):
        return iter(self._pieces)

    def close(self):
        die_kill()


def endless():
    while True:
        yield b"x" * 100_000
        time.sleep(0.01)


def child(fatal):
    """What a child of the worker's dies of."""
    pid = os.fork()
    if not pid:
        fatal()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def application(environ, start_response):
    word = environ["PATH_INFO"].split("/")[1]
    if word == "sleep":
        time.sleep(60)
    if word == "gate":
        while not os.path.exists(environ["QUERY_STRING"]):
            time.sleep(0.01)
    body = b"here"
    if word == "child":
        body = str(child(die_segv)).encode()
    if word == "lost-child":
        # It comes back from the application as if it were the worker.
        if not os.fork():
            raise SystemExit(3)
        time.sleep(60)
    if word == "pid":
        body = str(os.getpid()).encode()
    if word in FATAL:
        FATAL[word]()
    if word == "stream":
        start_response("200 OK", [])
        return streamed()
    if word == "close":
        start_response("200 OK", [("Content-Length", "4")])
        return Closing([b"done"])
    if word == "gone":
        start_response("200 OK", [])
        return Closing(endless())
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def streamed():
    yield b"some"
    die_kill()


FATAL = {
    "segv": die_segv,
    "bus": die_bus,
    "fpe": die_fpe,
    "abort": die_abort,
    "kill": die_kill,
    "exit": die_exit,
    "leave": die_leave,
    "eat": eat,
    "hang": hang,
}
