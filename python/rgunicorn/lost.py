"""A request whose worker has died: what is known of it, under the names that loggers read."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from rgunicorn.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import Sighting
    from rgunicorn.workers.base import Worker

# nginx's: the client has closed the connection.
_CLIENT_CLOSED = 499


class LostRequest:
    """What is known of a request whose worker has died, with the names of `http.Request`."""

    body = None
    fragment = query = ""
    proxy_protocol_info = None
    must_close = True

    def __init__(self, sighting: Sighting, worker: Worker) -> None:
        self.method = text_of(sighting["method"])
        self.path = self.uri = path_of(sighting)
        self.version = sighting["version"]
        request_id = text_of(sighting["request_id"])
        header = getattr(worker.cfg, "request_id_header", None)
        self.headers = [((header or "X-Request-ID").upper(), request_id)] if request_id else []
        self.request_id = request_id if header and request_id else None
        self.trailers: list[tuple[str, str]] = []
        self.scheme = "https" if worker.cfg.is_ssl else "http"
        self.peer_addr = self.remote_addr = (text_of(sighting["peer"]), 0)
        self.worker_pid, self.worker_slot = worker.pid, worker.slot

    def should_close(self) -> bool:
        return True

    def environ(self) -> dict[str, Any]:
        """WSGI's names for the same."""
        environ = {
            "REQUEST_METHOD": self.method,
            "RAW_URI": self.uri,
            "PATH_INFO": unquote_to_bytes(self.path).decode("latin-1"),
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/{}.{}".format(*self.version),
            "REMOTE_ADDR": self.peer_addr[0],
            "wsgi.url_scheme": self.scheme,
        }
        for name, value in self.headers:
            environ[f"HTTP_{name.replace('-', '_')}"] = value
        return environ


class LostResponse:
    """The response that there was none, with the names of `http.wsgi.Response`."""

    headers: list[tuple[str, str]] = []
    headers_sent = False
    # Nobody knows how much of it went out; formats show what Gunicorn's logger expects.
    sent = 0
    sent_is_known = False
    must_log = True
    response_length = None

    def __init__(self, request: LostRequest, status: int) -> None:
        self.req = request
        closed = status == _CLIENT_CLOSED
        phrase = "Client Closed Request" if closed else HTTPStatus(status).phrase
        self.status = f"{status:d} {phrase}"
        self.status_code = int(status)

    def should_close(self) -> bool:
        return True


def words_of(sighting: Sighting) -> str:
    """Method and path; where a worker was just letting somebody in, neither is known. Without an
    address nobody may have been there."""
    if not sighting["method"]:
        return ("" if sighting["peer"] else "perhaps ") + "one that nobody had read yet"
    return printable(f"{text_of(sighting['method'])} {path_of(sighting)}")


def path_of(sighting: Sighting) -> str:
    """As far as it was noted."""
    return text_of(sighting["path"]) + ("..." if sighting["path_cut"] else "")


def text_of(octets: bytes) -> str:
    """As WSGI has it; whatever a client has sent, or a crashed process has written, in one line."""
    return printable(octets.decode("latin-1"))


def status_of(worker: Worker, sighting: Sighting) -> int:
    """What a request without an answer is told of as."""
    if worker.aborted or sighting["phase"] == "answered":
        return int(HTTPStatus.GATEWAY_TIMEOUT)
    if sighting["client_gone"]:
        return _CLIENT_CLOSED
    return int(HTTPStatus.INTERNAL_SERVER_ERROR)
