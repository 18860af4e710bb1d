"""Client certificates, ciphers, and what the environ says of a connection."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest

from harness.certificates import Certificates
from harness.server import Kitchen, Server
from harness.wire import Wire, get

CLIENT = {"SSL_CLIENT_CERT", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_M_SERIAL"}
CLIENT |= {"SSL_CLIENT_V_START", "SSL_CLIENT_V_END"}

pytestmark = pytest.mark.ours("says whose certificate it is, and makes one context for all")


def environ(server: Server, context: ssl.SSLContext, *headers: str, count: int = 1) -> Any:
    """What the application saw of the last of `count` requests."""
    with Wire(server.address, context=context) as wire:
        for _ in range(count):
            response = wire.send(get("/environ", *headers)).response()
            assert response.status == 200
    return {name: value for name, (_, value) in json.loads(response.body).items()}


def refused(server: Server, context: ssl.SSLContext) -> ssl.SSLError:
    """The alert that the server sends instead of an answer."""
    with (
        Wire(server.address, context=context) as wire,
        # TLS 1.3 has a client find out when it reads.
        pytest.raises(ssl.SSLError) as caught,
    ):
        wire.sock.handshake()
        wire.send(get("/hello"))
        wire.response()
    return caught.value


def test_without_a_certificate_of_the_client(kitchen: Kitchen, files: Certificates) -> None:
    forged = [f"{name.replace('_', '-')}: forged" for name in sorted(CLIENT)]
    forged += ["Ssl-Client-Verify: SUCCESS", "HTTPS: on"]
    seen = environ(kitchen(), files.client_context("client"), *forged)
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["SSL_PROTOCOL"] == "TLSv1.3"
    assert seen["SSL_CIPHER"].startswith("TLS_")
    # It was not asked for.
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"
    assert not CLIENT & seen.keys()
    assert seen["HTTP_SSL_CLIENT_VERIFY"] == "SUCCESS"
    assert "HTTPS" not in seen


@pytest.mark.parametrize("cert_reqs", [1, 2])
def test_with_one(kitchen: Kitchen, files: Certificates, cert_reqs: int) -> None:
    server = kitchen(cert_reqs=cert_reqs, ca_certs=files.ca, keepalive=30, sync_keepalive=True)
    context = files.client_context("client")
    first = environ(server, context)
    assert first["SSL_CLIENT_VERIFY"] == "SUCCESS"
    with open(files.cert("client")) as file:
        assert file.read().startswith(first["SSL_CLIENT_CERT"])
    # PEP 3333: text that holds bytes.
    subject = first["SSL_CLIENT_S_DN"].encode("latin-1").decode()
    assert subject.startswith('CN=a \\"client\\"\\, ünknown,OU=Testing cert')
    assert first["SSL_CLIENT_I_DN"].startswith("OU=Testing CA ")
    assert int(first["SSL_CLIENT_M_SERIAL"], 16) > 0
    assert first["SSL_CLIENT_V_START"].endswith(" GMT")
    assert first["SSL_CLIENT_V_END"].endswith(" GMT")
    # The same for every request of a connection.
    third = environ(server, context, count=3)
    assert {name: third[name] for name in CLIENT} == {name: first[name] for name in CLIENT}


def test_without_one_where_it_may_be(kitchen: Kitchen, files: Certificates) -> None:
    server = kitchen(cert_reqs=1, ca_certs=files.ca)
    seen = environ(server, files.client_context())
    assert seen["SSL_CLIENT_VERIFY"] == "NONE"
    assert not CLIENT & seen.keys()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize(("cert_reqs", "name"), [(2, None), (2, "stranger"), (1, "stranger")])
def test_who_is_refused(
    kitchen: Kitchen, files: Certificates, cert_reqs: int, name: str | None, version: str
) -> None:
    server = kitchen(cert_reqs=cert_reqs, ca_certs=files.ca)
    before = server.log().count("Invalid request from ip=127.0.0.1: [SSL")
    alert = refused(server, files.client_context(name, ssl.TLSVersion[version]))
    assert "ALERT" in (alert.reason or "")
    server.wait_log("Invalid request from ip=127.0.0.1: [SSL", before + 1)
    assert "Traceback" not in server.log()
    # Whoever is not, is served.
    assert environ(server, files.client_context("client"))["SSL_CLIENT_VERIFY"] == "SUCCESS"


def test_authorities_are_missing(kitchen: Kitchen, files: Certificates) -> None:
    server = kitchen(cert_reqs=2)
    server.wait_log("cert_reqs = 2 without a certificate authority in ca_certs")


def test_ciphers(kitchen: Kitchen, files: Certificates) -> None:
    server = kitchen(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    context = files.client_context(version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    assert "HANDSHAKE_FAILURE" in (refused(server, context).reason or "")
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    assert environ(server, context)["SSL_CIPHER"] == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize(
    ("value", "scheme"), [("https", "https"), ("http", "http"), (None, "https")]
)
def test_a_proxy_that_is_trusted_knows_better(
    kitchen: Kitchen, files: Certificates, value: str | None, scheme: str
) -> None:
    """TLS is where the scheme starts; `secure_scheme_headers` of a trusted peer overrule it."""
    headers = [] if value is None else [f"X-Forwarded-Proto: {value}"]
    seen = environ(kitchen(), files.client_context(), *headers)
    assert seen["wsgi.url_scheme"] == scheme


def test_what_one_peer_may_not_say(kitchen: Kitchen, files: Certificates) -> None:
    seen = environ(
        kitchen(forwarded_allow_ips="10.0.0.1"), files.client_context(), "X-Forwarded-Proto: http"
    )
    assert seen["wsgi.url_scheme"] == "https"


def test_a_session_is_resumed_in_any_worker(kitchen: Kitchen, files: Certificates) -> None:
    """The workers share one context, and with it the keys of session tickets."""
    server = kitchen(workers=3)
    context = files.client_context(version=ssl.TLSVersion.TLSv1_2)
    with Wire(server.address, context=context) as wire:
        wire.send(get("/hello")).response()
        session = wire.sock.object.session
        # OpenSSL resumes no session that was broken off.
        wire.sock.goodbye()
    for _ in range(12):
        with Wire(server.address, context=context, session=session) as wire:
            assert wire.send(get("/hello")).response().status == 200
            assert wire.sock.object.session_reused
            wire.sock.goodbye()
