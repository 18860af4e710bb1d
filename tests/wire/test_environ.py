"""What the app finds in its environ: every key, its type and its value."""

from __future__ import annotations

import json

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Address, Kitchen, Server
from harness.wire import Wire, ask, chunked, get

Environ = dict[str, list[object]]


def environ(address: Address, raw: bytes) -> Environ:
    response = ask(address, raw)
    assert response.status == 200, response
    found: Environ = json.loads(response.body)
    return found


def value(address: Address, raw: bytes, key: str) -> object:
    found = environ(address, raw).get(key)
    return found[1] if found else None


def test_complete(server: Server, mode: Mode) -> None:
    with Wire(server.address) as wire:
        peer = wire.sock.getsockname()
        wire.send(get("/a%20b/c?q=1&r=%C3%A9"))
        found: Environ = json.loads(wire.response().body)
    software = found.pop("SERVER_SOFTWARE")
    assert software[0] == "str"
    assert str(software[1]).startswith("gunicorn/27.0.1")
    # Objects: their type names are the server's own business, what they can do is tested elsewhere.
    for key in ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "wsgi.early_hints"):
        assert found.pop(key)[1] is None, key
    found.pop("gunicorn.socket")
    expected = {
        "HTTP_HOST": ["str", "example.test"],
        "PATH_INFO": ["str", "/a b/c"],
        "QUERY_STRING": ["str", "q=1&r=%C3%A9"],
        "RAW_URI": ["str", "/a%20b/c?q=1&r=%C3%A9"],
        "REMOTE_ADDR": ["str", ""],
        "REQUEST_METHOD": ["str", "GET"],
        "SCRIPT_NAME": ["str", ""],
        "SERVER_NAME": ["str", "example.test"],
        "SERVER_PORT": ["str", "80"],
        "SERVER_PROTOCOL": ["str", "HTTP/1.1"],
        "rgunicorn.worker_slot": ["int", 0],
        "wsgi.input_terminated": ["bool", True],
        "wsgi.multiprocess": ["bool", False],
        "wsgi.multithread": ["bool", mode.worker != "sync"],
        "wsgi.run_once": ["bool", False],
        "wsgi.url_scheme": ["str", "http"],
        "wsgi.version": ["tuple", [1, 0]],
    }
    if mode.transport == "tcp":
        expected |= {
            "REMOTE_ADDR": ["str", "127.0.0.1"],
            "REMOTE_PORT": ["str", str(peer[1])],
            "SERVER_NAME": ["str", "127.0.0.1"],
            "SERVER_PORT": ["str", str(server.address[1])],
        }
    same(found, expected)


def test_multiprocess_is_true_with_two_workers(kitchen: Kitchen) -> None:
    assert value(kitchen(workers=2).address, get("/"), "wsgi.multiprocess") is True


@pytest.mark.parametrize(
    "target, path, query, raw_uri",
    [
        ("/", "/", "", "/"),
        ("/?", "/", "", "/?"),
        ("/a?b?c", "/a", "b?c", "/a?b?c"),
        ("/%2e%2E/x", "/../x", "", "/%2e%2E/x"),
        ("/a/../b/./c", "/a/../b/./c", "", "/a/../b/./c"),
        ("//double//slashed", "//double//slashed", "", "//double//slashed"),
        ("/%C3%A9", "/\xc3\xa9", "", "/%C3%A9"),
        ("/%ff%00", "/\xff\x00", "", "/%ff%00"),
        ("/%zz%2", "/%zz%2", "", "/%zz%2"),
        ("/a+b", "/a+b", "", "/a+b"),
        ("/a;p=1?q", "/a;p=1", "q", "/a;p=1?q"),
        ("/frag#ment?q", "/frag", "", "/frag#ment?q"),
        ("http://other.test:81/abs?q=1", "/abs", "q=1", "http://other.test:81/abs?q=1"),
    ],
)
def test_target(address: Address, target: str, path: str, query: str, raw_uri: str) -> None:
    found = environ(address, get(target))
    keys = ("PATH_INFO", "QUERY_STRING", "RAW_URI", "HTTP_HOST")
    expected = [path, query, raw_uri, "example.test"]
    same([found[key][1] for key in keys], expected)


def test_headers(address: Address) -> None:
    found = environ(
        address,
        get(
            "/",
            "User-Agent: probe/1",
            "X-Twice: a",
            "x-twice: b",
            "X-Blank:",
            "X-Space: \t padded \t ",
            "X-Latin: caf\xe9",
            "X-1.~!$&'*+^`|: token",
            "Cookie: a=1",
            "Cookie: b=2",
            "Connection: close",
            "TE: trailers",
            "Content-Type: text/x-odd; a=b",
            "Authorization: Basic dTpw",
            "Proxy: evil",
        ),
    )
    names = [key for key in found if key.startswith(("HTTP_", "CONTENT_"))]
    same(
        {key: found[key][1] for key in names},
        {
            "CONTENT_TYPE": "text/x-odd; a=b",
            "HTTP_AUTHORIZATION": "Basic dTpw",
            "HTTP_CONNECTION": "close",
            "HTTP_COOKIE": "a=1,b=2",
            "HTTP_HOST": "example.test",
            "HTTP_PROXY": "evil",
            "HTTP_TE": "trailers",
            "HTTP_USER_AGENT": "probe/1",
            "HTTP_X_1.~!$&'*+^`|": "token",
            "HTTP_X_BLANK": "",
            "HTTP_X_LATIN": "caf\xe9",
            "HTTP_X_SPACE": "padded",
            "HTTP_X_TWICE": "a,b",
        },
    )


def test_content_length_has_no_http_twin(address: Address) -> None:
    found = environ(address, get("/", "Content-Length: 0", method="POST"))
    assert found["CONTENT_LENGTH"] == ["str", "0"]
    assert "HTTP_CONTENT_LENGTH" not in found


def test_chunked_request_has_no_length(address: Address) -> None:
    raw = get("/", "Transfer-Encoding: chunked", method="POST") + chunked(b"ab")
    found = environ(address, raw)
    assert "CONTENT_LENGTH" not in found
    assert found["HTTP_TRANSFER_ENCODING"] == ["str", "chunked"]


def test_host_is_not_required(address: Address, mode: Mode) -> None:
    found = environ(address, b"GET / HTTP/1.1\r\n\r\n")
    assert "HTTP_HOST" not in found
    if mode.transport == "unix":
        assert found["SERVER_NAME"][1] == address
        assert found["SERVER_PORT"][1] == ""


@pytest.mark.only("on TCP the listener's own name is used", "unix")
@pytest.mark.parametrize(
    "host, name, port",
    [
        ("example.test:8080", "example.test", "8080"),
        ("example.test", "example.test", "80"),
    ],
)
def test_unix_server_name_comes_from_host(
    address: Address, host: str, name: str, port: str
) -> None:
    found = environ(address, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    same([found["SERVER_NAME"][1], found["SERVER_PORT"][1]], [name, port])


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PROPFIND", "VERSION-CONTROL", "M-SEARCH"])
def test_method(address: Address, method: str) -> None:
    with Wire(address) as wire:
        wire.send(get("/odd-method", method=method))
        found = json.loads(wire.response().body)
    assert found["REQUEST_METHOD"] == ["str", method]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_version(address: Address, version: str) -> None:
    with Wire(address) as wire:
        wire.send(get("/", version=version))
        response = wire.response()
    assert response.status_line == f"HTTP/{version} 200 OK"
    assert json.loads(response.body)["SERVER_PROTOCOL"] == ["str", f"HTTP/{version}"]


def test_options_star(address: Address) -> None:
    assert value(address, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "PATH_INFO") == "*"


def test_errors_stream_reaches_the_log(server: Server) -> None:
    ask(server.address, get("/close?said-to-errors"))
    server.wait_log("closed said-to-errors\n")
