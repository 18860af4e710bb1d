"""What a uwsgi packet says, and what the application sees of it."""

from __future__ import annotations

import pytest

from harness.compare import same
from harness.mode import Mode
from harness.server import Server
from harness.uwsgi import Text, packet, request
from uwsgi.talk import seen


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
