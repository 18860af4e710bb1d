"""The asgi worker: ASGI 3 applications, served by uvicorn with Gunicorn's settings and logs.

uvicorn parses, writes and speaks WebSocket; `asgi_front` stands between it and the application
and does what Gunicorn's settings say about requests.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from logging import DEBUG, WARNING, getLogger

from rgunicorn import sock
from rgunicorn.errors import missing_package
from rgunicorn.http import banner
from rgunicorn.workers import base, counting, parting, recycling
from rgunicorn.workers.asgi_front import Front, watched
from rgunicorn.workers.asgi_rules import Rules

try:
    import uvicorn
except ImportError as exc:
    raise missing_package("asgi", "uvicorn[standard]", exc) from None

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import FrameType

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger

# The exit code that tells the master that replacing this worker is of no use.
_BOOT_ERROR = 3

# The part of `graceful_timeout` for requests; the rest is for the application's lifespan. The
# master kills when all of it is over.
_FOR_REQUESTS = 0.9

# And, before these, the part for connections that have not begun one.
_FOR_NEXT = 0.05

_PARSER = "uvicorn's parser has no such choice"
_ENGINE = "it belongs to rgunicorn's own engine"
_WITHOUT_EFFECT = {
    "permit_obsolete_folding": _PARSER,
    "strip_header_spaces": _PARSER,
    "permit_unconventional_http_method": _PARSER,
    "permit_unconventional_http_version": _PARSER,
    "casefold_http_method": _PARSER,
    "request_buffer_size": _ENGINE,
    "request_buffer_limit": _ENGINE,
    "response_buffer_size": _ENGINE,
    "response_buffer_limit": _ENGINE,
    "client_header_timeout": _ENGINE,
    "client_body_timeout": _ENGINE,
    "client_write_timeout": _ENGINE,
}


class ASGIWorker(base.Worker):
    """Serves an ASGI application with `uvicorn.Server`."""

    server: Server | None = None
    # Set when the worker has to end without regard to what it is doing.
    exit_code: int | None = None

    @classmethod
    def refusals(cls, cfg: Config) -> list[str]:
        texts = super().refusals(cfg)
        if cfg.asgi_loop == "uvloop" and not _has_uvloop():
            texts.append(
                "asgi_loop = 'uvloop' needs the package uvloop, which is not installed here: "
                "install it with `pip install uvloop`, or leave asgi_loop at 'auto'."
            )
        if cfg.proxy_protocol != "off":
            texts.append(
                f"proxy_protocol = {cfg.proxy_protocol!r} can not be used with the asgi worker: "
                "uvicorn does not read it. Let the proxy send X-Forwarded headers instead."
            )
        return texts

    @classmethod
    def names_requests(cls) -> bool:
        return True

    @classmethod
    def logs_requests(cls) -> bool:
        return True

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Names the settings that have no effect here."""
        for name, why in _WITHOUT_EFFECT.items():
            setting = cfg.settings[name]
            if not setting.has_default:
                log.warning(
                    "%s = %r has no effect with the asgi worker: %s", name, setting.get(), why
                )

    def init_process(self) -> None:
        if self.cfg.is_ssl:
            # While the key can be read, and before the worker says that it is ready.
            self._context = sock.ssl_context(self.cfg)
        super().init_process()

    def load_wsgi(self) -> None:
        """Loads the application; hooks find it under both names."""
        super().load_wsgi()
        self.asgi = self.wsgi

    def run(self) -> None:
        """Serves until the worker is told to stop.

        Raises:
            SystemExit: with 3, the application's lifespan says that it can not start.
        """
        if not self.alive:
            return
        head_limit = Rules(self.cfg).head
        front = Front(self)
        counting.opens(self, "refused")
        config = self._config(front, head_limit)
        config.load()
        config.http_protocol_class = watched(config.http_protocol_class, front, head_limit)
        if self.cfg.is_ssl:
            config.ssl = self._context
        self._direct_logs()
        self.server = Server(config, self)
        self.server.run(sockets=[listener.sock for listener in self.sockets])
        if not self.server.started:
            self.log.error("ASGI lifespan startup failed")
            sys.exit(_BOOT_ERROR)
        if self.exit_code is not None:
            sys.exit(self.exit_code)

    def count_request(self) -> None:
        """Counts a request; at `max_requests` the worker asks for its successor."""
        self.nr += 1
        if recycling.count(self):
            self._leave()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: leave after the current requests."""
        super().handle_exit(sig, frame)
        self._leave()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGQUIT, SIGINT: leave now."""
        self._leave_at_once(0)
        super().handle_quit(sig, frame)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """SIGABRT: the master has not heard from us for `timeout` seconds."""
        self._leave_at_once(1)
        super().handle_abort(sig, frame)

    def _leave_at_once(self, code: int) -> None:
        # The SystemExit to come is an error of one request to uvicorn when it interrupts one.
        self.exit_code = code
        if self.server is not None:
            self.server.force_exit = self.server.should_exit = True

    def _leave(self) -> None:
        self.alive = False
        if self.server is not None:
            self.server.should_exit = True

    def _config(self, front: Front, head_limit: int) -> uvicorn.Config:
        cfg = self.cfg
        name = banner.server(self.log)
        headers = [("server", f"{name}/asgi" if name == "rgunicorn" else name)] if name else []
        return uvicorn.Config(
            front,
            interface="asgi3",
            loop=cfg.asgi_loop,
            lifespan=cfg.asgi_lifespan,
            # Gunicorn neither compresses nor pings. 0 bytes stand for any size.
            ws_max_size=cfg.websocket_max_message_size or sys.maxsize,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            # Trust is the front's business: REMOTE_ADDR stays the peer, as in Gunicorn.
            proxy_headers=False,
            server_header=False,
            headers=headers,
            backlog=cfg.backlog,
            timeout_keep_alive=cfg.keepalive,
            timeout_graceful_shutdown=cfg.graceful_timeout * _FOR_REQUESTS,
            # Called every second: the shortest that uvicorn knows.
            timeout_notify=0,
            callback_notify=self._look,
            h11_max_incomplete_event_size=head_limit,
            workers=1,
        )

    def _direct_logs(self) -> None:
        """uvicorn's errors go where ours go; its other news only at level debug, for the master
        says the same."""
        ours = self.log.error_log
        theirs = getLogger("uvicorn.error")
        theirs.handlers = ours.handlers
        theirs.propagate = False
        theirs.setLevel(ours.level if ours.level <= DEBUG else max(ours.level, WARNING))

    async def _look(self) -> None:
        if not self._announced:
            self._announced = True
            for listener in self.sockets:
                self.log.info("ASGI server listening on %s", listener)
        self.notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        if not self.alive:
            # Also when the reloader says so, from its thread.
            self._leave()

    _announced = False


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:
        return False
    return True


class Server(uvicorn.Server):
    """uvicorn's server, whose signals mean what a worker's mean."""

    def __init__(self, config: uvicorn.Config, worker: ASGIWorker) -> None:
        super().__init__(config)
        self._worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """uvicorn would note the signal and raise it again at the end."""
        if sig == signal.SIGINT:
            self._worker.handle_quit(sig, frame)
        else:
            self._worker.handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes in who waits at the listeners, and lets those that have just come say what they
        want: uvicorn would close them."""
        if not self.force_exit:
            if not parting.has_heirs(self._worker):
                # The loop accepts all that wait as soon as it looks.
                for pause in (0.02, parting.bar(self._worker) + 0.01):
                    await asyncio.sleep(pause)
            for server in self.servers:
                server.close()
            patience = min(parting.PARTING, self._worker.cfg.graceful_timeout * _FOR_NEXT)
            end = asyncio.get_running_loop().time() + patience
            while self._has_idle() and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def _has_idle(self) -> bool:
        cycles = [getattr(it, "cycle", self) for it in self.server_state.connections]
        return any(it is None or getattr(it, "response_complete", False) for it in cycles)
