"""HTTP/2."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import lower, one_of, validate_pos_int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HTTP2 = Unbuilt("HTTP/2", "let a proxy such as nginx or Caddy speak HTTP/2 and pass on HTTP/1.1")


def validate_http_protocols(val: Any) -> list[str]:
    """A comma separated choice of h1 and h2, without repeats, the preferred one first."""
    if val is None:
        return ["h1"]
    if not isinstance(val, str):
        raise TypeError("http_protocols must be a string")
    protocols = [part.strip().lower() for part in val.split(",") if part.strip()]
    for protocol in protocols:
        if protocol not in ("h1", "h2"):
            raise ValueError(f"Invalid protocol '{protocol}'. Valid protocols: h1, h2")
    if len(protocols) != len(set(protocols)):
        raise ValueError("Duplicate protocols specified")
    return protocols or ["h1"]


def validate_http2_cleartext(val: Any) -> str:
    """Ways into HTTP/2 without TLS; True is prior knowledge."""
    if val is None:
        return "off"
    if isinstance(val, bool):
        return "prior-knowledge" if val else "off"
    words = ("off", "prior-knowledge", "upgrade", "both")
    return one_of(lower(val), words, "http2_cleartext")


def validate_http2_stream_limit(val: Any) -> int:
    """An int from 1 on."""
    limit = validate_pos_int(val)
    if limit < 1:
        raise ValueError(f"HTTP/2 max concurrent streams must be at least 1: {limit}")
    return limit


def validate_http2_window_size(val: Any) -> int:
    """An int up to 2^31-1 (RFC 9113 section 6.9.1)."""
    size = validate_pos_int(val)
    if size > 2**31 - 1:
        raise ValueError(f"HTTP/2 window size must be at most 2147483647: {size}")
    return size


def validate_http2_frame_size(val: Any) -> int:
    """An int from 2^14 to 2^24-1 (RFC 9113 section 6.5.2)."""
    size = int(val) if isinstance(val, int) else int(val, 0)
    if not 2**14 <= size < 2**24:
        raise ValueError(f"http2_max_frame_size must be between 16384 and 16777215, got {size}")
    return size


class HTTPProtocols(Setting):
    name = "http_protocols"
    section = "HTTP/2"
    cli = ["--http-protocols"]
    meta = "STRING"
    validator = validate_http_protocols
    default = "h1"
    unbuilt = _HTTP2
    desc = """\
        HTTP versions to offer, preferred one first: `h1`, `h2`, or both with a comma.
        """


class HTTP2Cleartext(Setting):
    name = "http2_cleartext"
    section = "HTTP/2"
    cli = ["--http2-cleartext"]
    meta = "STRING"
    validator = validate_http2_cleartext
    default = "off"
    unbuilt = _HTTP2.behind("http_protocols")
    desc = """\
        HTTP/2 without TLS for trusted peers: `off`, `prior-knowledge`, `upgrade` or `both`.
        """


class HTTP2MaxConcurrentStreams(Setting):
    name = "http2_max_concurrent_streams"
    section = "HTTP/2"
    cli = ["--http2-max-concurrent-streams"]
    meta = "INT"
    type = int
    validator = validate_http2_stream_limit
    default = 100
    unbuilt = _HTTP2.behind("http_protocols")
    desc = """\
        How many requests a client may have open on one connection.
        """


class HTTP2InitialWindowSize(Setting):
    name = "http2_initial_window_size"
    section = "HTTP/2"
    cli = ["--http2-initial-window-size"]
    meta = "INT"
    type = int
    validator = validate_http2_window_size
    default = 65535
    unbuilt = _HTTP2.behind("http_protocols")
    desc = """\
        Bytes that a client may send on a request before it must wait, at first.
        """


class HTTP2MaxFrameSize(Setting):
    name = "http2_max_frame_size"
    section = "HTTP/2"
    cli = ["--http2-max-frame-size"]
    meta = "INT"
    type = int
    validator = validate_http2_frame_size
    default = 16384
    unbuilt = _HTTP2.behind("http_protocols")
    desc = """\
        Largest frame in bytes that a client may send.
        """


class HTTP2MaxHeaderListSize(Setting):
    name = "http2_max_header_list_size"
    section = "HTTP/2"
    cli = ["--http2-max-header-list-size"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 65536
    unbuilt = _HTTP2.behind("http_protocols")
    desc = """\
        Largest header block in bytes, unpacked; 0 announces no limit.
        """
