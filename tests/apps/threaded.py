"""What an application sees of the threads it runs in. Answers are JSON."""

import contextvars
import ctypes
import json
import os
import sys
import threading
import time

from gunicorn.workers.gthread import ThreadWorker

LOCAL = threading.local()
VARIABLE = contextvars.ContextVar("variable", default=None)


def app(environ, start_response):
    name, _, argument = environ["PATH_INFO"].removeprefix("/").partition("/")
    found = {
        "who": who,
        "meet": meet,
        "gate": gate,
        "sleep": sleep,
        "hang": hang,
        "raise": fails,
        "late": fails_late,
    }[name](argument)
    if name == "late":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return found
    found = {
        **(found or {}),
        "pid": os.getpid(),
        "thread": threading.current_thread().name,
        "ident": threading.get_ident(),
        "daemon": threading.current_thread().daemon,
        "main": threading.current_thread() is threading.main_thread(),
        "multithread": environ["wsgi.multithread"],
    }
    body = json.dumps(found).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def who(_):
    """Which thread it is."""
    LOCAL.count = getattr(LOCAL, "count", 0) + 1
    return {"local": LOCAL.count}


BARRIERS = {n: threading.Barrier(n, timeout=20) for n in (2, 3, 4)}


def meet(count):
    """Goes on when so many requests have come here, in as many threads: all see their own."""
    barrier = BARRIERS[int(count)]
    before = VARIABLE.get()
    LOCAL.count = getattr(LOCAL, "count", 0) + 1
    VARIABLE.set(threading.get_ident())
    barrier.wait()
    found = {"local": LOCAL.count, "before": before, "variable": VARIABLE.get()}
    # Nobody leaves, and takes a second turn, before everybody has looked.
    barrier.wait()
    return found


def gate(path):
    """Says that it is in, and answers when the file exists."""
    print("in the gate", file=sys.stderr, flush=True)
    for _ in range(2000):
        if os.path.exists("/" + path):
            return
        time.sleep(0.01)
    return


def sleep(seconds):
    time.sleep(int(seconds))


def hang(seconds):
    """In C, with the interpreter's lock."""
    ctypes.PyDLL(None).sleep(int(seconds))


class Base(BaseException):
    """Neither an Exception nor known to anybody."""


ERRORS = {
    "error": ValueError,
    "exit": SystemExit,
    "keyboard": KeyboardInterrupt,
    "generator": GeneratorExit,
    "base": Base,
}


def fails(kind):
    raise ERRORS[kind]("on purpose")


def fails_late(kind):
    def pieces():
        yield b"begun"
        raise ERRORS[kind]("on purpose")

    return pieces()


class Overriding(ThreadWorker):
    """Overrides two of the methods that Gunicorn calls, and one that we call too."""

    def get_thread_pool(self):
        return super().get_thread_pool()

    def handle_request(self, *args):
        return super().handle_request(*args)

    def load_wsgi(self):
        self.log.info("our load_wsgi")
        super().load_wsgi()
