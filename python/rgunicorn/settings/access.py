"""Settings of ours for the access log and the name of a request."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import validate_list_string, validate_string

_FILTER = Unbuilt("the choice of access lines", "filter the log where it is collected")


class AccessLogWhen(Setting):
    name = "access_log_when"
    section = "rgunicorn"
    cli = ["--access-log-when"]
    meta = "STRING"
    validator = validate_string
    default = "all"
    unbuilt = _FILTER
    desc = """\
        Which requests get an access line.

        `all`, or any of these with commas between them; a request that fits one of them is logged:
        `4xx`, `5xx`, `slow:SECONDS` (took at least that long), `sample:N` (every Nth).
        """


class AccessLogSkip(Setting):
    name = "access_log_skip"
    section = "rgunicorn"
    cli = ["--access-log-skip"]
    action = "append"
    meta = "PATH"
    validator = validate_list_string
    default = []
    unbuilt = _FILTER
    desc = """\
        Paths whose requests get no access line, for health checks; give the flag again for more.

        Compared with the path of the request, without its query. A path that ends in `*` stands
        for all that begin like it. Requests that end with 5xx are logged all the same.
        """


class RequestIdHeader(Setting):
    name = "request_id_header"
    section = "rgunicorn"
    cli = ["--request-id-header"]
    meta = "HEADER"
    validator = validate_string
    default = None
    unbuilt = Unbuilt("the name of a request", "a middleware that makes one")
    desc = """\
        The header that carries the name of a request, such as `X-Request-ID`.

        Taken from the request if a peer of `forwarded_allow_ips` has sent it, else made anew. It
        is in the environ as the header and as `rgunicorn.request_id`, in the access log, in what
        the error log says of the request, and in the response.
        """
