"""The servers that are not Gunicorn, and the floor below all of them."""

from __future__ import annotations

import signal
import sys

from loadbench.install import build_responder, build_responder_library
from loadbench.paths import WSGI_CALL
from loadbench.peer import BACKLOG, FromPyPI, Launch, Peer


class Responder(Peer):
    """The floor: an epoll loop in Rust with a fixed answer and no Python."""

    name = "responder"
    title = "responder (no Python)"
    has_access_log = False
    has_workers = False
    is_floor = True

    def prepare(self) -> None:
        self._program = build_responder()

    def version(self) -> str:
        return "this tree"

    def command(self, launch: Launch) -> list[str]:
        return [str(self._program), str(launch.port)]


class ResponderWithCall(Responder):
    """The same loop in a Python process, with a WSGI call before each answer, whose result it
    forgets: what the call costs where the kernel has had the caches in between."""

    name = "responder-wsgi"
    title = "responder with a WSGI call"

    def prepare(self) -> None:
        self._library = build_responder_library()

    def command(self, launch: Launch) -> list[str]:
        return [sys.executable, str(WSGI_CALL / "serve.py"), str(self._library), str(launch.port)]


class Granian(FromPyPI):
    """Granian's WSGI mode: hyper on one runtime thread, the app in `--blocking-threads` threads."""

    name = "granian"
    title = "Granian (WSGI)"
    requirement = "granian==2.8.7"
    # Its access log is lines of a Python logger on stdout: not the same work.
    has_access_log = False
    has_threads = True
    has_tls = True
    reload_signal = signal.SIGHUP
    preloads = (False,)

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python), "-m", "granian", "--interface", "wsgi", "--http", "1"]
        command += ["--no-ws", "--workers", str(launch.workers), "--backlog", BACKLOG]
        command += ["--blocking-threads", str(launch.threads)]
        if launch.connections:
            # Its limit of connections, by default the backlog; and how long one may be idle.
            command += ["--backpressure", str(launch.connections)]
            command += ["--http1-header-read-timeout", "60000"]
        if launch.certificate:
            command += ["--ssl-certificate", str(launch.certificate.chain)]
            command += ["--ssl-keyfile", str(launch.certificate.key)]
        return [*command, "--host", "127.0.0.1", "--port", str(launch.port), launch.app]


class Uwsgi(FromPyPI):
    """uWSGI's own HTTP socket in the worker, without the separate HTTP router process.

    `--http-socket` always closes. Its keep-alive twin `--http11-socket` is no peer for one worker:
    the worker stays with one connection until that ends while the other clients wait.
    """

    name = "uwsgi"
    title = "uWSGI --http-socket"
    requirement = "uwsgi==2.0.31"
    has_tls = True
    reload_signal = signal.SIGHUP
    preloads = (False, True)

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python.with_name("uwsgi")), "--die-on-term", "--need-app", "--master"]
        command += ["--virtualenv", str(self.python.parent.parent), "--module", launch.app]
        command += ["--processes", str(launch.workers), "--listen", BACKLOG]
        address = f"127.0.0.1:{launch.port}"
        if launch.certificate:
            files = launch.certificate
            command += ["--https-socket", f"{address},{files.chain},{files.key}"]
        else:
            command += ["--http-socket", address]
        if launch.preload is False:
            command.append("--lazy-apps")
        # It closes without saying so, which wrk would count as a broken connection.
        command += ["--add-header", "Connection: close"]
        if launch.access_log:
            return [*command, "--logto", str(launch.access_log)]
        return [*command, "--disable-logging"]


class FastPySGI(FromPyPI):
    """FastPySGI: libuv and C, one thread, the app called on the loop."""

    name = "fastpysgi"
    title = "FastPySGI"
    requirement = "fastpysgi==0.6"
    # SIGTERM ends only its parent process and orphans the workers.
    stop_signal = signal.SIGINT
    has_access_log = False
    preloads = (True,)

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python), "serve_fast.py", self.name, launch.app]
        return [*command, str(launch.port), str(launch.workers)]


class FastWSGI(FastPySGI):
    """FastWSGI, the ancestor of FastPySGI."""

    name = "fastwsgi"
    title = "FastWSGI"
    requirement = "fastwsgi==0.0.9"
    # It imports pkg_resources, which newer environments do not have.
    also = ("setuptools<81",)


class Bjoern(FromPyPI):
    """bjoern: libev and C, one thread, the app called on the loop. Needs libev's headers."""

    name = "bjoern"
    title = "bjoern"
    requirement = "bjoern==3.2.2"
    stop_signal = signal.SIGINT
    has_access_log = False
    preloads = (True,)

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python), "serve_bjoern.py", launch.app]
        return [*command, str(launch.port), str(launch.workers)]


class Waitress(FromPyPI):
    """Waitress: asyncore in Python, the app in threads, one process."""

    name = "waitress"
    title = "waitress"
    requirement = "waitress==3.0.2"
    has_access_log = False
    has_workers = False
    has_threads = True

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python), "-m", "waitress", "--listen", f"127.0.0.1:{launch.port}"]
        command += ["--threads", str(launch.threads), "--backlog", BACKLOG]
        if launch.connections:
            # By default 100; and select(2) knows no descriptor above 1,023.
            command += ["--connection-limit", str(launch.connections), "--asyncore-use-poll"]
        return [*command, launch.app]


class Cheroot(FromPyPI):
    """Cheroot, CherryPy's server: Python, the app in threads, one process."""

    name = "cheroot"
    title = "cheroot"
    requirement = "cheroot==11.1.2"
    stop_signal = signal.SIGINT
    has_access_log = False
    has_workers = False
    has_threads = True
    has_tls = True

    def command(self, launch: Launch) -> list[str]:
        command = [str(self.python), "serve_cheroot.py", launch.app, str(launch.port)]
        command += [str(launch.threads), str(launch.connections or 0)]
        if launch.certificate:
            command += [str(launch.certificate.chain), str(launch.certificate.key)]
        return command
