"""A program that brings its own server: `BaseApplication`, as its author types it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rgunicorn.app.base import BaseApplication

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode() + b"\n"]


class Embedded(BaseApplication):
    """Serves `app` with `options`."""

    def __init__(self, app: WSGIApplication, options: Mapping[str, Any]) -> None:
        self.application = app
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return self.application


if __name__ == "__main__":
    Embedded(application, {"bind": sys.argv[1], "workers": 1, "control_socket_disable": True}).run()
