"""A collector on loopback: takes in what agents send by HTTP, and keeps it."""

from __future__ import annotations

import contextlib
import gzip
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b'{"version": "7.60.0", "endpoints": ["/v0.4/traces", "/v0.5/traces"]}'
"""What every request is answered: a Datadog agent about itself. The other agents do not look."""


@dataclass(frozen=True)
class Delivery:
    """One request of an agent."""

    method: str
    path: str
    body: bytes
    """Without chunks and compression."""


@dataclass
class Sink:
    """What has arrived so far."""

    url: str
    deliveries: list[Delivery] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    """Nothing is answered before it is set."""

    def bodies(self, path: str) -> list[bytes]:
        """Bodies sent to addresses that begin with `path`, in order of arrival."""
        return [sent.body for sent in list(self.deliveries) if sent.path.startswith(path)]


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A running collector."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def take(self) -> None:
            found.open.wait(60)
            path = self.path.partition("?")[0]
            found.deliveries.append(Delivery(self.command, path, self.body()))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        do_GET = do_POST = do_PUT = take

        def body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                raw = b"".join(self.chunks())
            else:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            match self.headers.get("Content-Encoding", "identity"):
                case "gzip":
                    return gzip.decompress(raw)
                case "deflate":
                    return zlib.decompress(raw)
                case _:
                    return raw

        def chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what arrived is in `deliveries`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # A held request must not hold the end of the test.
    server.daemon_threads = True
    found = Sink(f"http://127.0.0.1:{server.server_port}")
    found.open.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        found.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
