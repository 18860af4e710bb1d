"""What the parser lets pass, whom it believes, what reaches the application."""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.wire import get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

STRANGER = "127.0.0.2"
V1 = b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 5678\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 192, 0, 2, 8, 4, 210, 22, 46])


def verdict(raw: bytes, source: str = "") -> Callable[[Stage], object]:
    return lambda stage: stage.verdict(raw, source)


def seen(name: str, *lines: str, source: str = "") -> Callable[[Stage], object]:
    """A key of the environ, or the refusal."""

    def observe(stage: Stage) -> object:
        found = stage.verdict(get("/", *lines), source)
        return stage.environ(*lines, source=source).get(name) if " 200 " in str(found) else found

    return observe


def proxied(source: str, preamble: bytes = V1) -> Callable[[Stage], object]:
    def observe(stage: Stage) -> object:
        found = stage.answer(preamble + get("/env"), source)
        body = str(found["body"])
        return found["status"], '"REMOTE_ADDR": "192.0.2.7"' in body, body.startswith("<html>")

    return observe


SCENES = (
    Scene(
        "limits",
        (
            Case(
                "limit_request_line",
                "a request line over it: status and page",
                verdict(get("/" + "a" * 200)),
                set={"limit_request_line": 150},
            ),
            Case(
                "limit_request_fields",
                "one field more: status and page",
                verdict(get("/", *(f"X-{i}: 1" for i in range(5)))),
                set={"limit_request_fields": 5},
            ),
            Case(
                "limit_request_field_size",
                "a field over it: status and page",
                verdict(get("/", "X: " + "b" * 100)),
                set={"limit_request_field_size": 100},
            ),
        ),
    ),
    Scene(
        "syntax",
        (
            Case(
                "permit_obsolete_folding",
                "a folded field: refused, or one value",
                seen("HTTP_X_FOLD", "X-Fold: a\r\n b\r\n\tc"),
                set={"permit_obsolete_folding": True},
            ),
            Case(
                "strip_header_spaces",
                "a blank before the colon: refused, or dropped",
                seen("HTTP_X_SPACE", "X-Space : v"),
                set={"strip_header_spaces": True},
            ),
            Case(
                "permit_unconventional_http_method",
                "`g#t` as a method",
                verdict(b"g#t / HTTP/1.1\r\n\r\n"),
                set={"permit_unconventional_http_method": True},
            ),
            Case(
                "permit_unconventional_http_version",
                "`HTTP/2.0` in a request line",
                verdict(b"GET / HTTP/2.0\r\n\r\n"),
                set={"permit_unconventional_http_version": True},
            ),
        ),
    ),
    Scene(
        "letter case",
        (
            Case(
                "casefold_http_method",
                "`REQUEST_METHOD` of a `get`",
                lambda stage: json.loads(stage.ask(b"get / HTTP/1.1\r\n\r\n").body)[
                    "REQUEST_METHOD"
                ],
                set={"casefold_http_method": True},
            ),
        ),
        base={"permit_unconventional_http_method": True},
    ),
    Scene(
        "trust",
        (
            Case(
                "forwarded_allow_ips",
                "`X-Forwarded-Proto` from another address: `wsgi.url_scheme`",
                seen("wsgi.url_scheme", "X-Forwarded-Proto: https", source=STRANGER),
                # Not the default's peers: those two must still be told apart.
                set={"forwarded_allow_ips": f"127.0.0.1,{STRANGER}"},
            ),
            Case(
                "forwarder_headers",
                "`REMOTE_USER` from a trusted peer: in the environ, or dropped",
                seen("HTTP_REMOTE_USER", "REMOTE_USER: somebody"),
                set={"forwarder_headers": "SCRIPT_NAME,REMOTE_USER"},
            ),
        ),
    ),
    Scene(
        "schemes",
        (
            Case(
                "secure_scheme_headers",
                "`X-Secure: yes` from a trusted peer: `wsgi.url_scheme`",
                seen("wsgi.url_scheme", "X-Secure: yes"),
                set={"secure_scheme_headers": {"X-SECURE": "yes"}},
            ),
            Case(
                "header_map",
                "`refuse`: a name with an underscore",
                verdict(get("/", "X_Under: v")),
                set={"header_map": "refuse"},
            ),
        ),
    ),
    Scene(
        "dangerous names",
        (
            Case(
                "header_map",
                "`dangerous`: it reaches the application",
                seen("HTTP_X_UNDER", "X_Under: v"),
                set={"header_map": "dangerous"},
                short="dangerous",
            ),
        ),
    ),
    Scene(
        "PROXY protocol",
        (
            Case(
                "proxy_protocol",
                "a v1 preamble: the client's address, or a refusal",
                proxied(""),
                set={"proxy_protocol": "v1"},
            ),
        ),
    ),
    Scene(
        "PROXY protocol, version 2",
        (
            Case(
                "proxy_protocol",
                "`v2`: a preamble of version 2; one of version 1 is refused",
                lambda stage: (proxied("", V2)(stage), proxied("")(stage)),
                set={"proxy_protocol": "v2"},
                short="v2",
            ),
        ),
        base={"proxy_protocol": "v1"},
    ),
    Scene(
        "PROXY protocol, either version",
        (
            Case(
                "proxy_protocol",
                "`auto`: both versions, and none",
                lambda stage: (
                    proxied("", V2)(stage),
                    proxied("")(stage),
                    stage.verdict(get("/hello")),
                ),
                set={"proxy_protocol": "auto"},
                short="auto",
            ),
        ),
    ),
    Scene(
        "PROXY peers",
        (
            Case(
                "proxy_allow_ips",
                "a preamble from another address: refused with 403, or believed",
                proxied(STRANGER),
                set={"proxy_allow_ips": STRANGER},
            ),
        ),
        base={"proxy_protocol": True},
    ),
)
