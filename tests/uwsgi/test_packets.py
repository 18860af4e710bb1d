"""uwsgi packets on the wire: what the application sees, what is refused, what follows."""

from __future__ import annotations

import json
import struct

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.pages import error_response
from harness.server import Address, Kitchen, Server
from harness.uwsgi import Text, packet, request
from harness.wire import Response, Wire
from uwsgi.packets import BAD

Environ = dict[str, object]


@pytest.fixture
def server(kitchen: Kitchen) -> Server:
    return kitchen(protocol="uwsgi")


def ask(address: Address, raw: bytes) -> Response:
    """One packet on a connection of its own."""
    with Wire(address) as wire:
        return wire.send(raw).response()


def environ(response: Response) -> Environ:
    assert response.status == 200, response
    return {key: value for key, (_, value) in json.loads(response.body).items()}


def seen(server: Server, raw: bytes) -> Environ:
    return environ(ask(server.address, raw))


@pytest.mark.gunicorn_bug("of these only method, query, headers and body count")
def test_what_nginx_says_is_what_the_application_sees(server: Server, mode: Mode) -> None:
    found = seen(
        server,
        request(
            "/environ/a%20b?x=%201",
            b"body",
            PATH_INFO="/environ/a b",
            CONTENT_TYPE="text/plain",
            HTTP_CONTENT_TYPE="text/plain",
            HTTP_CONTENT_LENGTH="4",
            HTTP_X_NAME="v\xe9",
            REMOTE_USER="anna",
            AUTH_TYPE="Basic",
            foo="bar",
        ),
    )
    wanted = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/environ/a b",
        "QUERY_STRING": "x=%201",
        "RAW_URI": "/environ/a%20b?x=%201",
        "REQUEST_URI": "/environ/a%20b?x=%201",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "www.example.org",
        "SERVER_PORT": "8080",
        "REMOTE_ADDR": "198.51.100.7",
        "REMOTE_PORT": "4711",
        "REMOTE_USER": "anna",
        "AUTH_TYPE": "Basic",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "DOCUMENT_ROOT": "/usr/share/nginx/html",
        "REQUEST_SCHEME": "http",
        "HTTP_HOST": "www.example.org:8080",
        "HTTP_X_NAME": "v\xe9",
        "foo": "bar",
    }
    same(
        {key: value for key, value in found.items() if "." not in key},
        {
            **wanted,
            "SERVER_SOFTWARE": found["SERVER_SOFTWARE"],
        },
    )
    assert str(found["SERVER_SOFTWARE"]).startswith("gunicorn/27.0.1")
    assert found["wsgi.url_scheme"] == "http"
    assert found["wsgi.multithread"] is (mode.worker != "sync")


@pytest.mark.parametrize(
    "path, more, expected",
    [
        # Decoded once, by the proxy: what looks like an escape is none.
        ("/x/%2541", {"PATH_INFO": "/x/%41"}, "/x/%41"),
        ("/x/%C3%A9", {"PATH_INFO": b"/x/\xc3\xa9"}, "/x/\xc3\xa9"),
        ("/x/%0A", {"PATH_INFO": "/x/\n"}, "/x/\n"),
        ("/x", {"PATH_INFO": None}, "/x"),
        ("/x/%2541?y", {"PATH_INFO": None, "QUERY_STRING": None}, "/x/%41"),
    ],
)
@pytest.mark.gunicorn_bug("decodes the path a second time")
def test_the_path_is_decoded_once(
    server: Server, path: str, more: dict[str, Text], expected: str
) -> None:
    found = seen(server, request(path, **more))
    assert (found["PATH_INFO"], found["RAW_URI"]) == (expected, path)
    assert found["QUERY_STRING"] == path.partition("?")[2]


@pytest.mark.gunicorn_bug("RAW_URI is the decoded path, whatever REQUEST_URI says")
def test_without_request_uri(server: Server) -> None:
    found = seen(server, request("/x", REQUEST_URI=None, QUERY_STRING="a=b"))
    assert (found["RAW_URI"], found["PATH_INFO"]) == ("/x?a=b", "/x")
    assert "REQUEST_URI" not in found


@pytest.mark.parametrize(
    "uri, path, script_name, expected",
    [
        ("/app/x", "/app/x", "/app", ("/app", "/x")),
        ("/app", "/app", "/app", ("/app", "")),
        ("/app/x", "/app/x", "/app/", ("/app", "/x")),
        # Cut already, by a rewrite.
        ("/app/x", "/x", "/app", ("/app", "/x")),
        ("/app/app/x", "/app/x", "/app", ("/app", "/app/x")),
        ("/app/app/x", "/app/app/x", "/app", ("/app", "/app/x")),
        # Another name that only begins so.
        ("/apple", "/apple", "/app", ("/app", "/apple")),
        ("/a%20p/x", "/a p/x", "/a p", ("/a p", "/x")),
        ("/x", "/x", "/", ("", "/x")),
        ("/x", "/x", "", ("", "/x")),
    ],
)
@pytest.mark.gunicorn_bug("SCRIPT_NAME is ignored")
def test_script_name(
    server: Server, uri: str, path: str, script_name: str, expected: tuple[str, str]
) -> None:
    found = seen(server, request(uri, PATH_INFO=path, SCRIPT_NAME=script_name))
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["RAW_URI"]) == (*expected, uri)


@pytest.mark.parametrize(
    "variables, scheme",
    [
        ({"HTTPS": "on"}, "https"),
        ({"HTTPS": "1", "REQUEST_SCHEME": "http"}, "https"),
        ({"HTTPS": "off"}, "http"),
        ({"HTTPS": ""}, "http"),
        ({"wsgi.url_scheme": "https"}, "https"),
    ],
)
def test_the_scheme(server: Server, variables: dict[str, str], scheme: str) -> None:
    assert seen(server, request("/environ", **variables))["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize("name", ["REQUEST_SCHEME", "UWSGI_SCHEME"])
@pytest.mark.gunicorn_bug("knows HTTPS and wsgi.url_scheme only")
def test_the_scheme_in_the_words_of_nginx_and_uwsgi(server: Server, name: str) -> None:
    assert seen(server, request("/environ", **{name: "https"}))["wsgi.url_scheme"] == "https"


def test_a_header_of_the_client_says_nothing_of_the_scheme(server: Server) -> None:
    """The proxy has passed it on as it came."""
    found = seen(server, request("/environ", HTTP_X_FORWARDED_PROTO="https"))
    assert found["wsgi.url_scheme"] == "http"
    assert found["HTTP_X_FORWARDED_PROTO"] == "https"


def test_names_of_the_server_are_not_for_the_proxy(server: Server) -> None:
    forged = ["wsgi.input", "wsgi.errors", "wsgi.multithread", "gunicorn.socket", "rgunicorn.x"]
    plain = seen(server, request("/environ"))
    found = seen(
        server,
        request("/environ", **dict.fromkeys([*forged, "SERVER_SOFTWARE", "RAW_URI"], "forged")),
    )
    # Gunicorn shows the port of the connection.
    same(found | {"REMOTE_PORT": ""}, plain | {"REMOTE_PORT": ""})


@pytest.mark.gunicorn_bug("the last of several headers replaces the others")
def test_the_same_name_again(server: Server) -> None:
    """Fields are joined, as over HTTP; of parameters the last one counts, as for uWSGI."""
    found = seen(
        server,
        packet(
            [
                ("REQUEST_METHOD", "GET"),
                ("PATH_INFO", "/no"),
                ("PATH_INFO", "/environ"),
                ("HTTP_X", "1"),
                ("HTTP_X", " 2\t"),
                ("SERVER_NAME", "first"),
                ("SERVER_NAME", "second"),
                ("CONTENT_LENGTH", "0"),
                ("CONTENT_LENGTH", "0"),
                ("CONTENT_TYPE", "a/b"),
                ("CONTENT_TYPE", "c/d"),
            ]
        ),
    )
    wanted = {"PATH_INFO": "/environ", "HTTP_X": "1,2", "SERVER_NAME": "second"}
    wanted |= {"CONTENT_LENGTH": "0", "CONTENT_TYPE": "c/d"}
    same({key: found[key] for key in wanted}, wanted)


def test_what_the_proxy_does_not_say(server: Server, mode: Mode) -> None:
    found = seen(
        server,
        packet({"REQUEST_METHOD": "GET", "PATH_INFO": "/environ", "REMOTE_ADDR": ""}),
    )
    if mode.transport == "tcp":
        assert isinstance(server.address, tuple)
        host, port = server.address
        wanted = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": host, "SERVER_PORT": str(port)}
    else:
        wanted = {"REMOTE_ADDR": "", "SERVER_NAME": server.address, "SERVER_PORT": ""}
    same({key: found[key] for key in wanted}, wanted)
    assert "CONTENT_LENGTH" not in found


@pytest.mark.gunicorn_bug("REMOTE_ADDR is the proxy's")
def test_an_address_without_a_port(server: Server) -> None:
    found = seen(server, request("/environ", REMOTE_ADDR="2001:db8::9", REMOTE_PORT=None))
    assert found["REMOTE_ADDR"] == "2001:db8::9"
    assert "REMOTE_PORT" not in found


@pytest.mark.parametrize("raw, status, words", [case[1:] for case in BAD], ids=[c[0] for c in BAD])
@pytest.mark.gunicorn_bug("500 with a traceback, or taken")
def test_a_bad_packet(server: Server, raw: bytes, status: int, words: str) -> None:
    before = server.log().count("[WARNING]")
    with Wire(server.address) as wire:
        found = wire.send(raw + request("/hello")).read_to_close()
    reason = {400: b"Bad Request", 501: b"Not Implemented"}[status]
    assert found.startswith(b"HTTP/1.1 %d %s\r\nConnection: close\r\n" % (status, reason)), found
    assert found.count(b"\nHTTP/1.1 ") == 0, "what follows was taken for a request"
    server.wait_log("[WARNING]", before + 1)
    warning = [line for line in server.log().splitlines() if "[WARNING]" in line][-1]
    assert "Invalid request from ip=" in warning
    assert words in warning
    assert "Traceback" not in server.log()


@pytest.mark.gunicorn_bug("500 with a traceback")
@pytest.mark.parametrize("cut", [1, 3, 4, 60, -1])
def test_a_packet_that_ends_early_has_nobody_to_answer(server: Server, cut: int) -> None:
    before = server.log()
    with Wire(server.address) as wire:
        assert wire.send(request("/hello")[:cut]).half_close().read_to_close() == b""
    assert ask(server.address, request("/hello")).status == 200
    assert "[WARNING]" not in server.log()[len(before) :]


def test_a_packet_to_an_http_server(kitchen: Kitchen) -> None:
    with Wire(kitchen().address) as wire:
        found = wire.send(request("/hello")).half_close().read_to_close()
    assert b"200 OK" not in found


def test_the_largest_packet(server: Server) -> None:
    rest = 65535 - (len(request("/environ", HTTP_X="")) - 4)
    raw = request("/environ", HTTP_X="x" * rest)
    assert struct.unpack("<H", raw[1:3]) == (65535,)
    assert seen(server, raw)["HTTP_X"] == "x" * rest


@pytest.mark.parametrize("more", [0, 975])
def test_many_variables(server: Server, more: int) -> None:
    raw = request("/environ", **{f"K{n}": "" for n in range(more)})
    assert len([name for name in seen(server, raw) if name[:1] == "K"]) in (0, more)


def test_byte_by_byte(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send_byte_by_byte(request("/echo", b"abc\0\xff"))
        assert wire.response().body == b"abc\0\xff"


@pytest.mark.ours("sync_keepalive", "sync")
def test_one_after_the_other(kitchen: Kitchen, mode: Mode) -> None:
    """All at once; a body that looks like a packet is a body."""
    server = kitchen(protocol="uwsgi", **mode.keep_alive)
    inner = request("/raise")
    raw = request("/hello") + request("/echo", inner) + request("/environ", HTTP_CONNECTION="close")
    with Wire(server.address) as wire:
        wire.send(raw + request("/never"))
        assert wire.response().header("Connection") == "keep-alive"
        response = wire.response()
        assert (response.body, response.header("Connection")) == (inner, "keep-alive")
        response = wire.response()
        assert response.header("Connection") == "close"
        assert environ(response)["HTTP_CONNECTION"] == "close"
        assert wire.is_closed()


@pytest.mark.parametrize(
    "more",
    [
        {"CONTENT_LENGTH": None},
        {"CONTENT_LENGTH": "", "HTTP_CONTENT_LENGTH": "5"},
        {"CONTENT_LENGTH": "5", "HTTP_CONTENT_LENGTH": "6"},
        {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"},
    ],
    ids=["none", "withheld", "other", "chunked"],
)
@pytest.mark.gunicorn_bug("the body of one request is the next packet")
def test_an_unsure_length_ends_the_connection(
    kitchen: Kitchen, mode: Mode, more: dict[str, Text]
) -> None:
    """What follows is the client's, and must never be read as the proxy's word."""
    server = kitchen(protocol="uwsgi", **mode.keep_alive)
    forged = request("/environ", REMOTE_USER="admin")
    with Wire(server.address) as wire:
        wire.send(request("/hello", **more) + b"12345" + forged)
        assert wire.response().header("Connection") == "close"
        assert wire.read_to_close() == b""


@pytest.mark.gunicorn_bug("a traceback: incomplete header")
def test_an_idle_connection_ends_in_silence(kitchen: Kitchen, mode: Mode) -> None:
    settings = mode.keep_alive | {"keepalive": 1}
    server = kitchen(protocol="uwsgi", errorlog="-", **settings)
    before = server.log()
    with Wire(server.address) as wire:
        assert wire.send(request("/hello")).response().header("Connection") == "keep-alive"
        assert wire.is_closed()
    with Wire(server.address) as wire:
        wire.send(request("/hello")).response()
        wire.half_close()
        assert wire.is_closed()
    with Wire(server.address):
        pass
    assert ask(server.address, request("/hello")).status == 200
    assert "Invalid" not in server.log()[len(before) :]


def test_without_a_length_it_ends_with_the_connection(server: Server) -> None:
    response = ask(server.address, request("/stream/3"))
    assert response.header("Transfer-Encoding") is None
    assert response.header("Connection") == "close"
    assert response.status_line == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/2.0", "HTTP/3.0", ""])
@pytest.mark.gunicorn_bug("SERVER_PROTOCOL is ignored")
def test_the_version_is_that_of_the_client(server: Server, version: str) -> None:
    response = ask(server.address, request("/environ", SERVER_PROTOCOL=version))
    assert response.status_line == "HTTP/1.1 200 OK"
    assert environ(response)["SERVER_PROTOCOL"] == (version or "HTTP/1.1")


def test_head(server: Server) -> None:
    with Wire(server.address) as wire:
        wire.send(request("/hello", REQUEST_METHOD="HEAD", HTTP_CONNECTION="close"))
        found = wire.read_to_close()
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert found.endswith(b"\r\n\r\n")


@pytest.mark.gunicorn_bug("sends 103, which nginx takes for the response")
def test_no_early_hints(server: Server) -> None:
    response = ask(server.address, request("/early"))
    assert (response.hints, response.body) == ([], b"ok")


def test_no_100_continue(server: Server) -> None:
    response = ask(server.address, request("/echo", b"abc", HTTP_EXPECT="100-continue"))
    assert (response.hints, response.body) == ([], b"abc")


def test_an_expectation_is_the_proxys_affair(server: Server) -> None:
    assert ask(server.address, request("/hello", HTTP_EXPECT="wonders")).status == 200


@pytest.mark.only("a unix peer has no address", "tcp")
@pytest.mark.gunicorn_bug("500 with a traceback")
def test_others_are_refused(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="192.0.2.1,10.0.0.0/8")
    with Wire(server.address) as wire:
        found = wire.send(b"\0").read_to_close()
    same(found, error_response(403, "Forbidden", "Request forbidden"))
    server.wait_log("[WARNING] Invalid request from ip=127.0.0.1: uWSGI request from")
    assert "uWSGI request from '127.0.0.1' not allowed" in server.log()


@pytest.mark.only("a unix peer has no address", "tcp")
@pytest.mark.gunicorn_bug("a network is compared as a string")
def test_a_network(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="127.0.0.0/8")
    assert ask(server.address, request("/hello")).status == 200


def test_everybody(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="*")
    assert ask(server.address, request("/hello")).status == 200


@pytest.mark.only("about unix peers", "unix")
def test_a_unix_peer_always_may(kitchen: Kitchen) -> None:
    server = kitchen(protocol="uwsgi", uwsgi_allow_ips="192.0.2.1")
    assert ask(server.address, request("/hello")).status == 200
