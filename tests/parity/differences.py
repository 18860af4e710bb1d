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
        "gthread-exit",
        "A `SystemExit` out of the app is an error like any other: 500, and the worker stays. "
        "Gunicorn's gthread worker leaves without an answer, and so do the requests of its other "
        "threads.",
        "An app's mistake must not cost other requests. Gunicorn's sync worker answers 500 too.",
        "wire/test_app_errors.py::test_system_exit_is_an_error_like_any_other",
    ),
    Difference(
        "exc-info-headers",
        "`start_response` with `exc_info` replaces the headers. Gunicorn appends the new ones to "
        "the old.",
        "PEP 3333: the new headers take the place of the old.",
        "wire/test_response.py::test_exc_info_replaces_status_and_headers",
    ),
    Difference(
        "connection-list",
        "The request's Connection field is a list of tokens, over all its fields. Gunicorn "
        "compares the first field as a whole.",
        "RFC 9110 §7.6.1.",
        "corpus/requests.json",
    ),
    Difference(
        "bare-lf",
        "A bare LF in a head, a trailer or a chunk line is refused where it stands, and named. "
        "Gunicorn waits for more or blames the field around it.",
        "The answer must not depend on how the bytes arrive.",
        "corpus/requests.json",
    ),
    Difference(
        "head-limit",
        "The limits of a whole head and of a chunk-size line are checked on what has come. "
        "Gunicorn looks only when it has to read on.",
        "The answer must not depend on how the bytes arrive.",
        "corpus/requests.json",
    ),
    Difference(
        "beyond-64-bits",
        "A Content-Length or chunk size beyond 64 bits is refused. Gunicorn waits for that many "
        "bytes.",
        "They cannot come.",
        "corpus/requests.json",
    ),
    Difference(
        "mapped-peers",
        "An IPv4 peer of an IPv6 listener (`::ffff:127.0.0.1`) matches IPv4 entries of "
        "`forwarded_allow_ips`. In Gunicorn it does not.",
        "It is the same machine.",
        "corpus/requests.json",
    ),
    Difference(
        "proxy-v1-line",
        "A PROXY v1 line has plain digits for ports, at most 107 bytes and CRLF at its end. "
        "Gunicorn takes what `int()` takes and reads on to the next CRLF; a NUL in it is a 500.",
        "The PROXY specification §2.1.",
        "corpus/requests.json",
    ),
    Difference(
        "proxy-local",
        "A PROXY preamble without usable addresses (v1 UNKNOWN, v2 LOCAL, UNSPEC, unix, datagram) "
        "keeps the connection's own. Gunicorn sets REMOTE_ADDR to None and REMOTE_PORT to the text "
        "`None`, refuses UNKNOWN, and answers 500 to unix and datagram.",
        "The PROXY specification: use the real connection. PEP 3333 wants strings.",
        "wire/test_proxy.py::test_unusable_addresses_keep_the_peer",
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
        "cut-body",
        "A chunked body that ends early is answered 400, and the app is not called. In Gunicorn "
        "the app is called and `read()` raises NoMoreData or InvalidChunkSize.",
        "Bodies are read before the app starts.",
        "wire/test_bodies.py::test_chunked_body_cut_short_is_never_taken_for_whole",
    ),
    Difference(
        "not-bytes",
        "An app whose first item is not bytes is answered 500. Gunicorn has already sent the "
        "head of a 200.",
        "A client must not take a failure for an answer.",
        "wire/test_app_errors.py::test_item_that_is_not_bytes",
    ),
    Difference(
        "one-access-line",
        "A request whose iterator fails before the headers leaves one access line, the 500. "
        "Gunicorn logs a 200 before it.",
        "One request, one line.",
        "parity/test_logs.py::test_one_access_line_when_the_iterator_fails",
    ),
    Difference(
        "worker-hint",
        "A worker class or logger class that can not be loaded is a message that ends with the "
        "setting, its value and what to do: the name that was meant (`Did you mean "
        "'gthread'?`), the package to install. Gunicorn shows a traceback. The modules of "
        "gevent, tornado and asgi workers raise a RuntimeError, as Gunicorn's do, that is an "
        "ImportError too.",
        "It is the next thing one has to know.",
        "parity/test_cli.py::test_exit",
    ),
    Difference(
        "bad-value-named",
        "A bad value on the command line or in `GUNICORN_CMD_ARGS` is named with its setting "
        "(`Invalid value for workers: -1`). Gunicorn does so for the config file only.",
        "`Value must be positive: -1` does not say which.",
        "parity/test_cli.py::test_exit",
    ),
    Difference(
        "short-tracebacks",
        "A traceback about the app or the config file shows the frames of the user's files only, "
        "and not the exceptions behind the message.",
        "The server's own frames say nothing about the user's mistake.",
        "parity/test_cli.py::test_tracebacks_show_the_users_code",
    ),
    Difference(
        "unbuilt",
        "Settings whose feature is not built yet are refused at boot when they are used: "
        "HTTP/2, dirty arbiters, the control socket.",
        "A setting must not be ignored in silence.",
        "parity/test_cli.py::test_what_is_not_built_is_refused",
    ),
    Difference(
        "bytes-of-sendfile",
        "The access log counts the bytes sent with sendfile. Gunicorn logs 0.",
        "They were sent.",
        "parity/test_logs.py::test_access_line_of_a_file",
    ),
    Difference(
        "uwsgi-variables",
        "Every variable of a uwsgi packet reaches the environ, REMOTE_ADDR also the access log. "
        "Gunicorn ignores most.",
        "The proxy knows, and `uwsgi_allow_ips` says who is the proxy.",
        "uwsgi/test_variables.py::test_what_nginx_says_is_what_the_application_sees",
    ),
    Difference(
        "uwsgi-path",
        "PATH_INFO is used as nginx decoded it; RAW_URI is REQUEST_URI. Gunicorn decodes again.",
        "One decoding.",
        "uwsgi/test_variables.py::test_the_path_is_decoded_once",
    ),
    Difference(
        "uwsgi-mount",
        "With SCRIPT_NAME, PATH_INFO is what lies below it.",
        "PEP 3333.",
        "uwsgi/test_variables.py::test_script_name",
    ),
    Difference(
        "uwsgi-refusals",
        "A packet that can not be read is 400, another modifier 501, a stranger 403. Gunicorn says "
        "500, also to a kept connection that ends.",
        "The client's mistake is no failure of the server.",
        "uwsgi/test_packets.py::test_a_bad_packet",
    ),
    Difference(
        "uwsgi-strict",
        "Refused as well: what HTTP would refuse in a request, and a CONTENT_LENGTH that is none.",
        "What stays in the connection would be the next packet.",
        "uwsgi/test_packets.py::test_a_bad_packet",
    ),
    Difference(
        "uwsgi-unsure-length",
        "A packet that does not say where its body ends is the last of its connection.",
        "What stays in the connection would be the next packet.",
        "uwsgi/test_packets.py::test_an_unsure_length_ends_the_connection",
    ),
    Difference(
        "uwsgi-early-hints",
        "`wsgi.early_hints` does nothing over uwsgi.",
        "nginx takes 103 for the response.",
        "uwsgi/test_nginx.py::test_early_hints",
    ),
]

CORPUS_DIFFERENCES = {
    "Connection is a token list over all fields (RFC 9110 section 7.6.1); Gunicorn compares the "
    "whole first field": "connection-list",
    "a broken PROXY v2 header is answered with 400; Gunicorn answers 500 with a "
    "traceback": "proxy-refused",
    "a bare LF is named as such however the bytes arrive; Gunicorn names the header when the whole "
    "head arrived at once": "bare-lf",
    "a bare LF in the chunked coding is refused as soon as it is seen; Gunicorn waits for the CRLF "
    "or for the whole trailer section": "bare-lf",
    "PROXY v2 over unix sockets and datagrams keeps the real peer, as the specification wants; "
    "Gunicorn answers 500 with a traceback": "proxy-local",
    "a preamble without usable addresses keeps the real peer, as the PROXY specification "
    "wants": "proxy-local",
    "a preamble without usable addresses keeps the real peer, as the PROXY specification wants; "
    "Gunicorn calls it UNSPEC": "proxy-local",
    "fields that header_map drops count for limit_request_fields too, as Gunicorn's own comment "
    "says": "dropped-names-count",
    "the limit of the whole head is checked on what has come; Gunicorn checks after the next "
    "read": "head-limit",
    "the limit of the whole head holds however the bytes arrive; Gunicorn looks only while the end "
    "is missing": "head-limit",
    "the limit of a chunk-size line holds however the bytes arrive; Gunicorn looks only while the "
    "CRLF is missing": "head-limit",
    "an IPv4 peer of a dual-stack listener (::ffff:a.b.c.d) matches IPv4 entries of "
    "forwarded_allow_ips": "mapped-peers",
    "a Content-Length beyond 64 bits is refused; Gunicorn waits for that many "
    "bytes": "beyond-64-bits",
    "a chunk size beyond 64 bits is refused; Gunicorn waits for that many bytes": "beyond-64-bits",
    "ports of a PROXY line are digits; Gunicorn takes what Python's int() takes": "proxy-v1-line",
    "a PROXY line ends within 107 bytes (specification 2.1); Gunicorn reads on": "proxy-v1-line",
    "a PROXY line ends with CRLF; Gunicorn reads on to the next one": "proxy-v1-line",
    "a PROXY line with a NUL is refused as any other; Gunicorn answers 500 with a "
    "traceback": "proxy-v1-line",
}
"""The sentences of tests/corpus/requests.json and the rows they belong to."""

BY_ID = {difference.id: difference for difference in DIFFERENCES}
