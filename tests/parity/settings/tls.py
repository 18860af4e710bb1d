"""TLS: real handshakes."""

from __future__ import annotations

import socket
import ssl

from harness.certificates import certificates
from harness.wire import get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

HOOK = """
def ssl_context(config, default_factory):
    import ssl
    context = default_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
"""


def handshake(
    stage: Stage, client: bool = False, most: ssl.TLSVersion | None = None
) -> dict[str, object]:
    """One request in TLS: certificate, version, cipher, answer; or the error's name."""
    context = certificates().client_context("client" if client else None)
    context.check_hostname = False
    if most is not None:
        context.maximum_version = most
    assert isinstance(stage.server.address, tuple)
    try:
        with (
            socket.create_connection(stage.server.address, timeout=20) as plain,
            context.wrap_socket(plain) as sock,
        ):
            certificate = sock.getpeercert() or {}
            cipher = sock.cipher()
            sock.sendall(get("/env", "Connection: close"))
            answer = b""
            while more := sock.recv(65536):
                answer += more
    except (ssl.SSLError, ConnectionError):
        # Which error it is depends on who looks first.
        return {"refused": True}
    return {
        "status": answer.split(b"\r\n")[0],
        "scheme https": b'"wsgi.url_scheme": "https"' in answer,
        "subject": certificate.get("subject"),
        "cipher": cipher and cipher[0],
        "version": cipher and cipher[1],
    }


def served(stage: Stage) -> object:
    return handshake(stage), stage.lines("Listening at")


def clients(stage: Stage) -> object:
    return "refused" in handshake(stage), "refused" in handshake(stage, client=True)


def cipher(stage: Stage) -> object:
    return handshake(stage, most=ssl.TLSVersion.TLSv1_2).get("cipher")


def old_client(stage: Stage) -> object:
    return "refused" in handshake(stage, most=ssl.TLSVersion.TLSv1_2)


def pair(stage: Stage) -> dict[str, object]:
    return certificates().server


SCENES = (
    Scene(
        "TLS",
        (
            Case(
                "certfile",
                "a handshake: the certificate; `wsgi.url_scheme`; the log line",
                served,
                set=lambda stage: {"certfile": certificates().cert("server")},
            ),
            Case(
                "keyfile",
                "the same, with the key in a file of its own",
                served,
                set=lambda stage: {"keyfile": certificates().key("server")},
            ),
        ),
    ),
    Scene(
        "client certificates",
        (
            Case(
                "cert_reqs",
                "clients without and with a certificate",
                clients,
                set={"cert_reqs": 2},
            ),
            Case(
                "ca_certs",
                "which client's certificate is accepted",
                clients,
                set=lambda stage: {"ca_certs": certificates().ca},
            ),
        ),
        base=pair,
    ),
    Scene(
        "ciphers",
        (
            Case(
                "ciphers",
                "what a TLS 1.2 client gets",
                cipher,
                set={"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"},
            ),
            Case(
                "do_handshake_on_connect",
                "a handshake",
                lambda stage: handshake(stage)["status"],
                set={"do_handshake_on_connect": True},
                vacuous="it is about the moment of the handshake, which a client does not see",
            ),
            Case(
                "suppress_ragged_eofs",
                "a handshake",
                lambda stage: handshake(stage)["status"],
                set={"suppress_ragged_eofs": False},
                vacuous="it is about what a read says at the end of a connection",
            ),
        ),
        base=pair,
    ),
    Scene(
        "TLS context",
        (
            Case(
                "ssl_context",
                "a hook that asks for TLS 1.3: a TLS 1.2 client",
                old_client,
            ),
        ),
        base=pair,
        set_config=HOOK,
    ),
    Scene(
        "deprecated version",
        (
            Case(
                "ssl_version",
                "ignored, with a warning",
                lambda stage: stage.run("--check-config").stderr,
                set={"ssl_version": "TLSv1_2"},
            ),
        ),
        starts=False,
    ),
)
