"""Small helpers under Gunicorn's names, as workers, applications and config files import them.

Cold path only: nothing here runs for every request. Modules that only one function needs are
imported in that function, because the server's boot time counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from rgunicorn._loading import (
    get_arity,
    import_app,
    load_class,
    load_entry_point,
    user_traceback,
)
from rgunicorn._process import (
    _setproctitle,
    daemonize,
    get_username,
    getcwd,
    seed,
    set_owner_process,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from typing import Any, NoReturn
    from urllib.parse import SplitResult

__all__ = [
    "_setproctitle",
    "bytes_to_str",
    "check_is_writable",
    "chown",
    "close",
    "close_on_exec",
    "daemonize",
    "get_arity",
    "get_username",
    "getcwd",
    "has_fileno",
    "hop_headers",
    "http_date",
    "import_app",
    "is_glob_pattern",
    "is_hoppish",
    "is_ipv6",
    "load_class",
    "load_entry_point",
    "make_fail_app",
    "parse_address",
    "reraise",
    "seed",
    "set_non_blocking",
    "set_owner_process",
    "split_request_uri",
    "to_bytestring",
    "unlink",
    "unquote_to_wsgi_str",
    "user_traceback",
    "warn",
    "write",
    "write_chunk",
    "write_error",
    "write_nonblock",
]

# PEP 3333 leaves these to the server; Server and Date are ours to send.
hop_headers = frozenset(
    (
        "connection",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)


# --- files and descriptors -----------------------------------------------------------------


def chown(path: str, uid: int, gid: int) -> None:
    """Changes the owner of a file."""
    os.chown(path, uid, gid)


def unlink(filename: str) -> None:
    """Removes a file; it is no error when there is none."""
    try:
        os.unlink(filename)
    except (FileNotFoundError, NotADirectoryError):
        return


def check_is_writable(path: str) -> None:
    """Raises RuntimeError unless `path` can be opened for appending (which creates it)."""
    try:
        with open(path, "a"):
            return
    except OSError as exc:
        raise RuntimeError(f"Error: '{path}' isn't writable [{exc!r}]") from exc


def is_glob_pattern(value: str) -> bool:
    """Whether `value` is to be expanded by `glob` rather than taken as one path."""
    return any(char in value for char in "*?[")


def close_on_exec(fd: int) -> None:
    """Keeps `fd` out of programs that this process executes."""
    os.set_inheritable(fd, False)


def set_non_blocking(fd: int) -> None:
    """Makes reads and writes on `fd` return instead of waiting."""
    os.set_blocking(fd, False)


def has_fileno(obj: object) -> bool:
    """Whether `obj` has a real file descriptor (`io.BytesIO` has the method but not that)."""
    fileno = getattr(obj, "fileno", None)
    if fileno is None:
        return False
    try:
        fileno()
    except (AttributeError, OSError):
        # io.UnsupportedOperation is an OSError.
        return False
    return True


# --- addresses -----------------------------------------------------------------------------


def is_ipv6(addr: str) -> bool:
    """Whether `addr` is a literal IPv6 address."""
    import socket

    try:
        socket.inet_pton(socket.AF_INET6, addr)
    except (OSError, ValueError):
        # ValueError: a null byte in it.
        return False
    return True


def parse_address(netloc: str, default_port: str = "8000") -> str | int | tuple[str, int]:
    """What a `bind` value means.

    Returns:
        a path for `unix:PATH` and `unix://PATH`, a descriptor for `fd://N`, else `(host, port)`
        with the host in lower case.

    Raises:
        RuntimeError: port or descriptor is no number.
    """
    if netloc.startswith("unix:"):
        return netloc.removeprefix("unix:").removeprefix("//")

    if netloc.startswith("fd://"):
        fd = netloc.removeprefix("fd://")
        try:
            return int(fd)
        except ValueError:
            raise RuntimeError(f"{fd!r} is not a valid file descriptor.") from None

    netloc = netloc.removeprefix("tcp://")
    host, port = netloc, default_port
    if "[" in netloc and "]" in netloc:
        host, _, rest = netloc.partition("]")
        host = host[1:]
        if rest.startswith(":"):
            port = rest[1:]
    elif ":" in netloc:
        host, port = netloc.split(":")[:2]
    elif not netloc:
        host = "0.0.0.0"

    try:
        return host.lower(), int(port)
    except ValueError:
        raise RuntimeError(f"{port!r} is not a valid port number.") from None


# --- HTTP ----------------------------------------------------------------------------------

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(timestamp: float | None = None) -> str:
    """An IMF-fixdate (RFC 9110 section 5.6.7) of `timestamp` (seconds since 1970) or of now."""
    import time

    when = time.gmtime(timestamp)
    weekday, month = _WEEKDAYS[when.tm_wday], _MONTHS[when.tm_mon - 1]
    clock = f"{when.tm_hour:02}:{when.tm_min:02}:{when.tm_sec:02}"
    return f"{weekday}, {when.tm_mday:02} {month} {when.tm_year:04} {clock} GMT"


def is_hoppish(header: str) -> bool:
    """Whether the server drops this response header of the application."""
    return header.lower().strip() in hop_headers


def split_request_uri(uri: str) -> SplitResult:
    """The parts of a request target; a leading `//` starts a path, not an authority."""
    from urllib.parse import urlsplit

    if not uri.startswith("//"):
        return urlsplit(uri)
    # RFC 3986 would read //a/b as host "a"; in a request line it is origin-form.
    parts = urlsplit(f".{uri}")
    return parts._replace(path=parts.path[1:])


def unquote_to_wsgi_str(string: str) -> str:
    """Percent-decodes to PEP 3333's bytes-as-Latin-1 text."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(string).decode("latin-1")


def write_chunk(sock: socket.socket, data: bytes | str) -> None:
    """Sends one chunk (RFC 9112 section 7.1); empty data is the last one."""
    body = to_bytestring(data)
    sock.sendall(b"%X\r\n%b\r\n" % (len(body), body))


def write(sock: socket.socket, data: bytes, chunked: bool = False) -> None:
    """Sends all of `data`, as one chunk if asked."""
    if chunked:
        write_chunk(sock, data)
    else:
        sock.sendall(data)


def write_nonblock(sock: socket.socket, data: bytes, chunked: bool = False) -> None:
    """As `write`, but raises BlockingIOError rather than wait for a slow client."""
    if sock.gettimeout() == 0.0:
        write(sock, data, chunked)
        return
    sock.setblocking(False)
    try:
        write(sock, data, chunked)
    finally:
        sock.setblocking(True)


def write_error(
    sock: socket.socket,
    status_int: int,
    reason: str,
    mesg: str,
    field: tuple[str, str] | None = None,
) -> None:
    """Sends the server's own error page, with one more header field if there is one, and asks for
    the connection to be closed."""
    import html

    text = (
        f"<html>\n  <head>\n    <title>{reason}</title>\n  </head>\n  <body>\n"
        f"    <h1><p>{reason}</p></h1>\n    {html.escape(mesg)}\n  </body>\n</html>\n"
    )
    # An offender outside Latin-1 becomes a character reference instead of an encoding error.
    page = text.encode("latin-1", "xmlcharrefreplace")
    more = f"{field[0]}: {field[1]}\r\n" if field else ""
    head = (
        f"HTTP/1.1 {status_int} {reason}\r\n{more}Connection: close\r\n"
        f"Content-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
    )
    write_nonblock(sock, head.encode("latin-1") + page)


def make_fail_app(
    msg: str | bytes,
) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """A WSGI application that answers every request with 500 and `msg` as plain text."""
    body = to_bytestring(msg)
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]

    def fail_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("500 Internal Server Error", headers.copy())
        return [body]

    return fail_app


# --- text and exceptions -------------------------------------------------------------------


def bytes_to_str(value: bytes | str) -> str:
    """`value` as text; bytes are read as Latin-1."""
    return value if isinstance(value, str) else str(value, "latin-1")


def to_bytestring(value: bytes | str, encoding: str = "utf8") -> bytes:
    """`value` as bytes; TypeError for anything else than text and bytes."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value.encode(encoding)


def warn(msg: str) -> None:
    """Prints `msg` to stderr in a block that is hard to overlook."""
    lines = "\n".join(f"!!! {line}" for line in f"WARNING: {msg}".splitlines())
    print(f"!!!\n{lines}\n!!!\n", file=sys.stderr, flush=True)


def reraise(
    tp: type[BaseException], value: BaseException | None, tb: TracebackType | None = None
) -> NoReturn:
    """Raises what `sys.exc_info()` returned earlier."""
    raise (tp() if value is None else value).with_traceback(tb)


def close(sock: socket.socket) -> None:
    """Closes a socket that may already be broken."""
    try:
        sock.close()
    except OSError:
        # The descriptor is gone either way; there is nobody left to tell.
        return
