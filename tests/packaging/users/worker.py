"""Worker classes of one's own, as their authors type them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from rgunicorn.glogging import Logger
from rgunicorn.workers.gthread import ThreadWorker
from rgunicorn.workers.sync import SyncWorker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from rgunicorn.config import Config
    from rgunicorn.http.message import Request


class Polite(SyncWorker):
    """Says hello to each request before it is run."""

    def init_process(self) -> None:
        self.greeted = 0
        super().init_process()

    def handle_request(
        self, listener: socket.socket, req: Request, client: socket.socket, addr: Any
    ) -> None:
        self.greeted += 1
        self.log.info("hello, request %d", self.greeted)
        super().handle_request(listener, req, client, addr)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        self.log.info("goodbye after %d", self.greeted)
        super().handle_quit(sig, frame)


class Threaded(ThreadWorker):
    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        if cfg.threads < 2:
            log.warning("Threaded with %d thread", cfg.threads)
        super().check_config(cfg, log)


class Quiet(Logger):
    """A logger that says nothing of health checks."""

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: Any) -> None:
        if environ.get("PATH_INFO") != "/healthz":
            super().access(resp, req, environ, request_time)
