"""What is WSGI about a request: its environ, and the names that others look for here."""

from __future__ import annotations

import logging

import rgunicorn
from rgunicorn import _core, _process
from rgunicorn.http.response import DEFAULT_HEADERS, Response
from rgunicorn.http.wrappers import ClientSocket, FileWrapper, WSGIErrorsWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "AT_FIRST",
    "DEFAULT_HEADERS",
    "SERVER",
    "SERVER_SOFTWARE",
    "FileWrapper",
    "Response",
    "WSGIErrorsWrapper",
    "base_environ",
    "create",
    "default_environ",
    "log",
    "proxy_environ",
]

log = logging.getLogger("gunicorn.http.wsgi")

# Config files assign these, here or in `gunicorn`; `http.banner` knows what counts.
SERVER = rgunicorn.SERVER
SERVER_SOFTWARE = rgunicorn.SERVER_SOFTWARE


def base_environ(cfg: Any) -> dict[str, Any]:
    """The part of the environ that is the same for all requests of a worker."""
    from rgunicorn.http import banner

    slot = _process.worker_slot
    return {
        "wsgi.errors": WSGIErrorsWrapper(cfg),
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": max(cfg.workers, cfg.max_workers) > 1,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "SERVER_SOFTWARE": banner.software(),
        **({} if slot is None else {"rgunicorn.worker_slot": slot}),
    }


def default_environ(req: Any, sock: Any, cfg: Any) -> dict[str, Any]:
    """`base_environ` and what the request line says; without header fields, path and addresses."""
    major, minor = req.version
    environ = base_environ(cfg) | {
        "wsgi.input": getattr(req, "body", None),
        "gunicorn.socket": sock,
        "REQUEST_METHOD": req.method,
        "QUERY_STRING": req.query,
        "RAW_URI": req.uri,
        "SERVER_PROTOCOL": f"HTTP/{major}.{minor}",
    }
    name = getattr(req, "request_id", None)
    if name is not None:
        environ["rgunicorn.request_id"] = name
    return environ


def proxy_environ(req: Any) -> dict[str, str]:
    """What a PROXY preamble adds to the environ, in place of the peer's address."""
    info = getattr(req, "proxy_protocol_info", None)
    if not info:
        return {}
    return {
        "PROXY_PROTOCOL": info["proxy_protocol"],
        "REMOTE_ADDR": info["client_addr"],
        "REMOTE_PORT": str(info["client_port"]),
        "PROXY_ADDR": info["proxy_addr"],
        "PROXY_PORT": str(info["proxy_port"]),
    }


def create(
    req: Any, sock: Any, client: Any, server: Any, cfg: Any
) -> tuple[Response, dict[str, Any]]:
    """The response and the environ of a request; `100 Continue` for a client that waits for it.

    Args:
        req: from the parser; its `headers` may have been changed since.
        sock: the client's socket.
        client: the peer's address: a tuple, or something empty for a unix socket.
        server: what `getsockname` says of the listener: a tuple, or the path of a unix socket.
        cfg: the configuration.

    Raises:
        ConfigurationProblem: the path is not below SCRIPT_NAME.
        OSError: the client has gone.
    """
    resp = Response(req, sock, cfg)
    if req.expects_continue and not req.body_reader.done:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    environ = default_environ(req, sock, cfg)
    environ["gunicorn.socket"] = ClientSocket(sock)
    environ["wsgi.early_hints"] = resp.send_early_hints
    environ["wsgi.url_scheme"] = req.scheme
    script_name, host = req.script_name, None
    for name, value in req.headers:
        if name == "SCRIPT_NAME" and not req.is_uwsgi:
            script_name = value
        elif name == "HOST":
            host = value
        key = name.replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value

    if isinstance(client, tuple):
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = str(client[0]), str(client[1])
    else:
        environ["REMOTE_ADDR"] = ""
    if isinstance(server, tuple):
        environ["SERVER_NAME"], environ["SERVER_PORT"] = str(server[0]), str(server[1])
    elif host is not None:
        # A unix listener has no name of its own.
        environ["SERVER_NAME"], _, port = host.partition(":")
        default = "443" if req.scheme == "https" else "80"
        environ["SERVER_PORT"] = port.partition(":")[0] if port or ":" in host else default
    else:
        path = server.decode("latin-1") if isinstance(server, bytes) else str(server)
        environ["SERVER_NAME"], environ["SERVER_PORT"] = path, ""
    environ["SCRIPT_NAME"] = script_name
    path_info = req.path_info
    environ["PATH_INFO"] = (
        _core.path_info(req.path, script_name) if path_info is None else path_info
    )
    environ.update(proxy_environ(req))
    if cfg.is_ssl and hasattr(sock, "getpeercert"):
        # Where it is not used, `ssl` is not worth its memory.
        from rgunicorn import tls

        environ.update(tls.connection_environ(sock))
    req.add_params(environ)
    req.environ = environ
    return resp, environ


# What config files may have replaced since.
AT_FIRST = {"SERVER": SERVER, "SERVER_SOFTWARE": SERVER_SOFTWARE, "Response": Response}
