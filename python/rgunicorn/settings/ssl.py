"""TLS. Its values are kept as plain numbers, so that `ssl` is imported only for TLS."""

from __future__ import annotations

import sys

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_bool, validate_pos_int, validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The values of ssl.PROTOCOL_TLS (also called PROTOCOL_SSLv23) and ssl.CERT_NONE.
PROTOCOL_TLS = 2
CERT_NONE = 0


def validate_ssl_version(val: Any) -> Any:
    """Anything; says that it is ignored."""
    if val != PROTOCOL_TLS:
        print(
            "Warning: option `ssl_version` is deprecated and it is ignored."
            " Use ssl_context instead.",
            file=sys.stderr,
        )
    return val


class KeyFile(Setting):
    name = "keyfile"
    section = "SSL"
    cli = ["--keyfile"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        File with the private key (PEM).

        Not needed when `certfile` holds it as well. Without a passphrase: nobody is there to be
        asked for it. It can belong to root: the master reads it for sync and gthread, and gevent,
        tornado and asgi workers read it before they become `user`.
        """


class CertFile(Setting):
    name = "certfile"
    section = "SSL"
    cli = ["--certfile"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        File with the certificate and its chain (PEM); switches TLS on, for all listeners.

        Read at the start and again on HUP. When a new one can not be used, the old configuration
        stays in force.
        """


class SSLVersion(Setting):
    name = "ssl_version"
    section = "SSL"
    cli = ["--ssl-version"]
    validator = validate_ssl_version
    default = PROTOCOL_TLS
    desc = """\
        Has no effect, in Gunicorn neither; use `ssl_context`.

        Any other value than the default is answered with a warning. Workers of other packages
        may read it.
        """


class CertReqs(Setting):
    name = "cert_reqs"
    section = "SSL"
    cli = ["--cert-reqs"]
    validator = validate_pos_int
    default = CERT_NONE
    desc = """\
        Whether clients must show a certificate: 0 no, 1 they may, 2 they must.

        The environ of a client that has shown one says whose it is: see
        [TLS](compatibility.md#only-in-rgunicorn).
        """


class CACerts(Setting):
    name = "ca_certs"
    section = "SSL"
    cli = ["--ca-certs"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        File with the authorities that client certificates are checked against (PEM).
        """


class SuppressRaggedEOFs(Setting):
    name = "suppress_ragged_eofs"
    section = "SSL"
    cli = ["--suppress-ragged-eofs"]
    action = "store_true"
    validator = validate_bool
    default = True
    desc = """\
        Take a connection that ends without TLS's goodbye for one that ended properly.

        Without, a client that ends its side so inside a request gets no answer.
        """


class DoHandshakeOnConnect(Setting):
    name = "do_handshake_on_connect"
    section = "SSL"
    cli = ["--do-handshake-on-connect"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Shake hands as soon as a connection is accepted, not when it is first read.

        The native workers always do, as the bytes come, and no thread waits for them;
        `client_header_timeout` is the limit. For other workers it is the argument of this name
        of Python's `wrap_socket`.
        """


class Ciphers(Setting):
    name = "ciphers"
    section = "SSL"
    cli = ["--ciphers"]
    validator = validate_string
    desc = """\
        Ciphers to allow, in OpenSSL's notation; OpenSSL's own choice if not set.
        """
