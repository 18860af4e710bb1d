"""Which peers are believed about scheme, script name and names with underscores."""

from __future__ import annotations

import json

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.pages import error_response
from harness.server import Address, Kitchen
from harness.wire import ask, exchange, get

# Nobody connects from here, so nobody on TCP is trusted. Unix peers always are.
NOBODY = "192.0.2.1"


def environ(address: Address, *headers: str, path: str = "/environ") -> dict[str, object]:
    response = ask(address, get(path, *headers))
    assert response.status == 200, response
    return {key: value for key, (_, value) in json.loads(response.body).items()}


def trusts(mode: Mode, allowed: str) -> bool:
    return mode.transport == "unix" or allowed in ("127.0.0.1", "*", "127.0.0.0/8")


@pytest.mark.parametrize("allowed", ["127.0.0.1", "*", "127.0.0.0/8", NOBODY])
@pytest.mark.parametrize(
    "headers, scheme",
    [
        ([], "http"),
        (["X-Forwarded-Proto: https"], "https"),
        (["x-forwarded-proto: https"], "https"),
        (["X-Forwarded-Proto: HTTPS"], "http"),
        (["X-Forwarded-Proto: http"], "http"),
        (["X-Forwarded-Proto: https, http"], "http"),
        (["X-Forwarded-Protocol: ssl"], "https"),
        (["X-Forwarded-Ssl: on"], "https"),
        (["X-Forwarded-Ssl: off"], "http"),
        (["X-Forwarded-Ssl: on", "X-Forwarded-Proto: https"], "https"),
        (["X-Forwarded-Scheme: https"], "http"),
    ],
)
def test_scheme(
    kitchen: Kitchen, mode: Mode, allowed: str, headers: list[str], scheme: str
) -> None:
    server = kitchen(forwarded_allow_ips=allowed)
    expected = scheme if trusts(mode, allowed) else "http"
    assert environ(server.address, *headers)["wsgi.url_scheme"] == expected


def test_contradiction_is_refused_from_a_trusted_peer(kitchen: Kitchen) -> None:
    raw = get("/", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")
    same(
        exchange(kitchen(forwarded_allow_ips="*").address, raw),
        error_response(400, "Bad Request", "Contradictory scheme headers"),
    )


def test_contradiction_does_not_matter_from_others(kitchen: Kitchen, mode: Mode) -> None:
    found = exchange(
        kitchen(forwarded_allow_ips=NOBODY).address,
        get("/hello", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"),
    )
    assert (b" 200 " in found) is (mode.transport == "tcp")


def test_own_secure_scheme_headers(kitchen: Kitchen) -> None:
    server = kitchen(secure_scheme_headers={"X-EDGE": "tls"})
    assert environ(server.address, "X-Edge: tls")["wsgi.url_scheme"] == "https"
    assert environ(server.address, "X-Forwarded-Proto: https")["wsgi.url_scheme"] == "http"


def test_forwarded_addresses_are_never_believed(kitchen: Kitchen, mode: Mode) -> None:
    found = environ(
        kitchen(forwarded_allow_ips="*").address,
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Host: evil.test",
        "Forwarded: for=203.0.113.9;host=evil.test",
    )
    assert found["REMOTE_ADDR"] == ("127.0.0.1" if mode.transport == "tcp" else "")
    assert found["HTTP_HOST"] == "example.test"
    assert found["HTTP_X_FORWARDED_FOR"] == "203.0.113.9"


@pytest.mark.parametrize(
    "header_map, seen", [("drop", None), ("dangerous", "1"), ("refuse", "refused")]
)
def test_underscores(kitchen: Kitchen, header_map: str, seen: str | None) -> None:
    address = kitchen(header_map=header_map).address
    raw = get("/environ", "X_Under: 1")
    if seen == "refused":
        page = error_response(400, "Bad Request", "Invalid HTTP header name: 'X_UNDER'")
        same(exchange(address, raw), page)
    else:
        assert environ(address, "X_Under: 1").get("HTTP_X_UNDER") == seen


@pytest.mark.parametrize("forwarders, seen", [("X_UNDER", "1"), ("*", "1"), ("OTHER", None)])
def test_forwarder_headers(kitchen: Kitchen, mode: Mode, forwarders: str, seen: str | None) -> None:
    trusted = kitchen(forwarder_headers=forwarders, forwarded_allow_ips="127.0.0.1")
    assert environ(trusted.address, "X_Under: 1").get("HTTP_X_UNDER") == seen
    if mode.transport == "tcp":
        others = kitchen(forwarder_headers=forwarders, forwarded_allow_ips=NOBODY)
        assert "HTTP_X_UNDER" not in environ(others.address, "X_Under: 1")


@pytest.mark.gunicorn_bug("a dropped name does not count for limit_request_fields")
def test_dropped_names_count_for_the_limit(kitchen: Kitchen) -> None:
    server = kitchen(limit_request_fields=5)
    names = [f"X_{i}: v" for i in range(4)]
    assert exchange(server.address, get("/hello", *names)).startswith(b"HTTP/1.1 200 ")
    assert exchange(server.address, get("/hello", *names, "X_9: v")).startswith(b"HTTP/1.1 431 ")


def test_script_name_header(kitchen: Kitchen, mode: Mode) -> None:
    found = environ(kitchen().address, "SCRIPT_NAME: /env", path="/env/iron?q")
    same(
        [found["SCRIPT_NAME"], found["PATH_INFO"], found["RAW_URI"], found["HTTP_SCRIPT_NAME"]],
        ["/env", "/iron", "/env/iron?q", "/env"],
    )
    if mode.transport == "tcp":
        found = environ(
            kitchen(forwarded_allow_ips=NOBODY).address, "SCRIPT_NAME: /env", path="/env/iron"
        )
        same([found["SCRIPT_NAME"], found["PATH_INFO"]], ["", "/env/iron"])


def test_script_name_from_the_environment(kitchen: Kitchen) -> None:
    server = kitchen(env={"SCRIPT_NAME": "/pre"})
    found = environ(server.address, path="/pre/fix")
    same([found["SCRIPT_NAME"], found["PATH_INFO"]], ["/pre", "/fix"])
    found = environ(server.address, "SCRIPT_NAME: /env", path="/env/iron")
    same([found["SCRIPT_NAME"], found["PATH_INFO"]], ["/env", "/iron"])


@pytest.mark.gunicorn_bug("the reason phrase of a 500 is `Bad Request`")
def test_path_outside_of_script_name(kitchen: Kitchen) -> None:
    same(
        exchange(kitchen().address, get("/environ", "SCRIPT_NAME: /foo")),
        error_response(
            500,
            "Internal Server Error",
            "Configuration problem: Request path '/environ' does not start with SCRIPT_NAME '/foo'",
        ),
    )


def test_path_info_and_remote_user_headers_change_nothing(kitchen: Kitchen) -> None:
    found = environ(kitchen().address, "PATH_INFO: /evil", "REMOTE_USER: root")
    assert found["PATH_INFO"] == "/environ"
    assert found["HTTP_PATH_INFO"] == "/evil"
    assert "REMOTE_USER" not in found
    assert "HTTP_REMOTE_USER" not in found
