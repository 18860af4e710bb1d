"""A worker class in plain Python and an application, for tests of the master.

It runs on both servers: `gunicorn` is whatever the running server says it is. One request at a
time; a path is an order, see ORDERS.
"""

from __future__ import annotations

import os
import select
import signal
import time

from gunicorn.workers.base import Worker


class TinyWorker(Worker):
    """Accepts, reads one head, answers what the app says, closes."""

    def run(self):
        while self.alive:
            self.notify()
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                return
            ready, _, _ = select.select(self.wait_fds, [], [], min(self.timeout or 1, 1))
            if self.PIPE[0] in ready:
                os.read(self.PIPE[0], 4096)
            for listener in self.sockets:
                if listener in ready and self.alive:
                    self.accept(listener)

    def accept(self, listener):
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return
        with client:
            client.setblocking(True)
            head = client.recv(65536)
            if not head:
                return
            self.nr += 1
            if self.nr >= self.max_requests:
                self.log.info("Autorestarting worker after current request.")
                self.alive = False
            path = head.split(b" ")[1].decode()
            body = b"".join(self.wsgi({"PATH_INFO": path}, lambda status, headers: None))
            client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)


class OwnBootWorker(TinyWorker):
    """Boots in its own way and never says that it has."""

    def init_process(self):
        self.PIPE = os.pipe()
        self.wait_fds = [*self.sockets, self.PIPE[0]]
        signal.signal(signal.SIGTERM, self.handle_exit)
        self.load_wsgi()
        self.run()


class MuteWorker(TinyWorker):
    """Never tells the master that it lives, but for its first breath."""

    def run(self):
        self.notify()
        self.notify = lambda: None
        super().run()


def application(environ, start_response):
    order, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    body = str(ORDERS[order](argument)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def sleep(argument):
    # In small pieces: a signal handler of Python runs between them.
    end = time.monotonic() + float(argument)
    while time.monotonic() < end:
        time.sleep(0.01)
    return os.getpid()


def fork_a_child(argument):
    """A child as `multiprocessing` makes it; tells how SIGTERM ended it."""
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(7)
    time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    for _ in range(200):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "still running"


def make_orphan(argument):
    """A grandchild that waits for the file `/argument` and ends with 3; its pid."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        grandchild = os.fork()
        if not grandchild:
            # The client's connection among them.
            os.closerange(3, 256)
            while not os.path.exists(f"/{argument}"):
                time.sleep(0.02)
            os._exit(3)
        os.write(writer, str(grandchild).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reader, 20).decode()


def hang(argument):
    """Does not run signal handlers of Python either: they wait for this call to end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGABRT})
    time.sleep(60)


def identity(argument):
    """The worker's umask, user, group and supplementary groups."""
    umask = os.umask(0)
    os.umask(umask)
    return umask, os.getuid(), os.getgid(), sorted(os.getgroups())


ORDERS = {
    "": lambda argument: os.getpid(),
    "pid": lambda argument: os.getpid(),
    "ppid": lambda argument: os.getppid(),
    "env": lambda argument: os.environ.get(argument),
    "identity": identity,
    "sleep": sleep,
    "exit": lambda argument: os._exit(int(argument)),
    "suicide": lambda argument: os.kill(os.getpid(), int(argument)) or time.sleep(5),
    "fork": fork_a_child,
    "hang": hang,
    "orphan": make_orphan,
}
