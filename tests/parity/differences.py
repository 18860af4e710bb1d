"""Every deliberate difference between rgunicorn and Gunicorn 27.0.1.

`docs/compatibility.md` explains each id to users; `test_compatibility_page.py` keeps both equal.
A parity case that names an id must really differ: a difference that went away fails its case.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing rgunicorn does otherwise."""

    id: str
    what: str
    """What rgunicorn does, and what Gunicorn does."""
    reason: str
    test: str
    """The test that states our side: a path below `tests/`, with `::name` where it is one test."""


DIFFERENCES = [
    Difference(
        "server-name",
        "`Server: rgunicorn` instead of `Server: gunicorn`; `SERVER_SOFTWARE` starts with "
        "`gunicorn/27.0.1` and names rgunicorn after it.",
        "Programs test for the prefix; operators want to see what runs.",
        "wire/test_response.py::test_head_in_order",
    ),
    Difference(
        "error-reason",
        "An error's status line has its own reason phrase: `501 Not Implemented`, "
        "`500 Internal Server Error`. Gunicorn says `Bad Request` for an unsupported transfer "
        "coding and for a path outside of SCRIPT_NAME.",
        "RFC 9110 §15 gives each status its phrase.",
        "wire/test_malformed.py::test_unsupported_coding",
    ),
    Difference(
        "no-start-response",
        "An app that returns without having called `start_response` is answered 500. Gunicorn's "
        "sync worker writes `HTTP/1.1 None`.",
        "`None` is not a status.",
        "wire/test_app_errors.py::test_no_start_response",
    ),
    Difference(
        "exc-info-headers",
        "`start_response` with `exc_info` replaces the headers. Gunicorn appends the new ones to "
        "the old.",
        "PEP 3333: the new headers take the place of the old.",
        "wire/test_response.py::test_exc_info_replaces_status_and_headers",
    ),
    Difference(
        "proxy-local",
        "PROXY v2 LOCAL and UNSPEC keep the connection's own address. Gunicorn sets REMOTE_ADDR to "
        "None and REMOTE_PORT to the text `None`.",
        "The PROXY specification: use the real connection. PEP 3333 wants strings.",
        "wire/test_proxy.py::test_local_and_unspec_keep_the_peer",
    ),
    Difference(
        "proxy-refused",
        "A PROXY v2 preamble that cannot be used is answered 400. Gunicorn answers 500 with a "
        "traceback in the log.",
        "It is the sender's mistake, and anybody can make it.",
        "wire/test_proxy.py::test_bad_v2_preamble",
    ),
    Difference(
        "sendfile-empty",
        "`wsgi.file_wrapper` on a file that stands at its end makes an empty chunked body. "
        "Gunicorn sends the last chunk twice.",
        "The second `0` would be read as the next response.",
        "wire/test_sendfile.py::test_at_the_end_of_the_file",
    ),
    Difference(
        "dropped-names-count",
        "A header dropped for its underscore counts for `limit_request_fields`. In Gunicorn's "
        "Python parser it does not.",
        "The limit protects the parser, which has read it either way.",
        "wire/test_trust.py::test_dropped_names_count_for_the_limit",
    ),
    Difference(
        "lingering-close",
        "An app may answer without reading the request body: the client gets the whole answer. "
        "Gunicorn reads 64 KiB more and closes, which the client often sees as a reset.",
        "RFC 9112 §9.6: close in stages.",
        "workers/test_large_uploads.py",
    ),
    Difference(
        "term-serves-queue",
        "At TERM, requests that were sent before it are served (within `graceful_timeout`). "
        "Gunicorn finishes only those inside the app; the others are reset.",
        "A deployment should lose nothing.",
        "workers/test_stop.py::test_term_serves_what_has_connected",
    ),
    Difference(
        "slow-clients",
        "A client that sends or reads slowly holds nobody up. In Gunicorn's sync worker it blocks "
        "everybody until the timeout kills the worker.",
        "Only the app's own time should occupy a worker.",
        "workers/test_slow_clients.py",
    ),
    Difference(
        "sync-keepalive",
        "`sync_keepalive` (ours, off by default) keeps connections of the sync worker alive.",
        "A request on an open connection costs less than half.",
        "workers/test_keepalive.py",
    ),
    Difference(
        "control-socket",
        "No control socket by default.",
        "It needs a thread in the master, and all servers of a user would share one path.",
        "parity/test_cli.py::test_print_config",
    ),
    Difference(
        "bytes-of-sendfile",
        "The access log counts the bytes sent with sendfile. Gunicorn logs 0.",
        "They were sent.",
        "parity/test_logs.py::test_access_line_of_a_file",
    ),
]

BY_ID = {difference.id: difference for difference in DIFFERENCES}
