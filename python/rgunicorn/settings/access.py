"""Settings of ours for the access log and the name of a request."""

from __future__ import annotations

import re

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_duration, validate_list_string, validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONDITIONS = (
    "allowed are all, or any of 4xx, 5xx, slow:SECONDS and sample:N with commas between them, such "
    "as 5xx,slow:1.5,sample:100"
)
# Headers that mean something to the server, or to HTTP.
_TAKEN = re.compile(
    "authorization|connection|content-.*|cookie|date|expect|forwarded|host|keep-alive|location|"
    "proxy|script-name|server|set-cookie|te|trailer|transfer-encoding|upgrade|x-forwarded-.*|"
    "x-request-start",
    re.IGNORECASE,
)
_PATHS = "allowed are paths such as /healthz, and the beginning of paths such as /static/*"


def validate_access_log_when(val: Any) -> str:
    """Conditions with commas between them; durations come out as seconds, case does not matter."""
    if not isinstance(val, str):
        raise TypeError(f"Invalid access_log_when: {val!r}; {_CONDITIONS}")
    parts = [_condition(part.strip().lower(), val) for part in val.split(",")]
    return ",".join(dict.fromkeys(parts))


def _condition(part: str, val: str) -> str:
    word, colon, value = part.partition(":")
    if word in ("all", "4xx", "5xx") and not colon:
        return word
    if word == "slow" and value:
        try:
            return f"slow:{validate_duration(value)}"
        except ValueError as exc:
            raise ValueError(f"Invalid access_log_when: {val!r}: slow: {exc}") from None
    if word == "sample" and re.fullmatch(r"[1-9][0-9]{0,17}", value):
        return part
    raise ValueError(f"Invalid access_log_when: {val!r}; {_CONDITIONS}")


def validate_access_log_skip(val: Any) -> list[str]:
    """Paths without query, from `/` on; `*` only at the end."""
    paths = validate_list_string(val)
    for path in paths:
        body = (path or "").removesuffix("*")
        if not path or not (path == "*" or body.startswith("/")) or "?" in body or "*" in body:
            raise ValueError(f"Invalid access_log_skip: {path!r}; {_PATHS}")
    return [path for path in paths if path]


def validate_request_id_header(val: Any) -> str | None:
    """A header name that stands for no other part of HTTP; None or nothing for none."""
    name = validate_string(val)
    if not name:
        return None
    if re.fullmatch(r"[A-Za-z0-9-]+", name) is None or _TAKEN.fullmatch(name):
        raise ValueError(
            f"Invalid request_id_header: {val!r}; allowed is the name of a header of its own, of "
            "letters, digits and -, such as X-Request-ID"
        )
    return name


class AccessLogWhen(Setting):
    name = "access_log_when"
    section = "rgunicorn"
    cli = ["--access-log-when"]
    meta = "STRING"
    validator = validate_access_log_when
    default = "all"
    desc = """\
        Which requests get an access line.

        `all`, or any of these with commas between them; a request that fits one of them is logged:
        `4xx`, `5xx`, `slow:SECONDS` (took at least that long; also `500ms`, `2m`), `sample:N`
        (every Nth of each worker). A request whose worker was killed, or that was ended by
        `request_timeout`, always has its line. StatsD counts all.
        """


class AccessLogSkip(Setting):
    name = "access_log_skip"
    section = "rgunicorn"
    cli = ["--access-log-skip"]
    action = "append"
    meta = "PATH"
    validator = validate_access_log_skip
    default = []
    desc = """\
        Paths whose requests get no access line, for health checks; give the flag again for more.

        Compared with the whole path of the request as the client asked for it, decoded and without
        its query. A path that ends in `*` stands for all that begin like it. Requests that end with
        5xx are logged all the same.
        """


class RequestIdHeader(Setting):
    name = "request_id_header"
    section = "rgunicorn"
    cli = ["--request-id-header"]
    meta = "HEADER"
    validator = validate_request_id_header
    default = None
    desc = """\
        The header that carries the name of a request, such as `X-Request-ID`.

        Taken from the request if a peer of `forwarded_allow_ips` has sent one that is sane: up to
        96 letters, digits and `-._~:+/=@;`. Else it is a new UUID (version 7, sorted by time); what
        the client has called the request is forgotten. The name is in the environ as the header
        and as `rgunicorn.request_id`, in the access log, in what the error log says of the request,
        and in the response, unless the application has set the header itself.
        """
