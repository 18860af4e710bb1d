"""TLS: the context that a configuration asks for, and what applications learn of a connection.

Imported only where TLS is used: `ssl` is slow to load.
"""

from __future__ import annotations

import os
import ssl

from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger

# Attribute names of RFC 4514 section 3 and of what OpenSSL adds, by OpenSSL's long names.
_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "surname": "SN",
    "userId": "UID",
}


def check_files(conf: Config) -> None:
    """Looks whether the files that the configuration names are there.

    Raises:
        ConfigError: one can not be opened; names the setting and the value.
    """
    for name in ("certfile", "keyfile", "ca_certs"):
        path = conf.settings[name].get()
        if path is None:
            continue
        try:
            with open(path, "rb"):
                pass
        except OSError as exc:
            raise ConfigError(
                f"{name} = {path!r} can not be read: {exc.strerror}. Name a PEM file; a relative "
                f"path counts from {os.getcwd()}."
            ) from None


def make_context(conf: Config) -> Any:
    """A new context, as the `ssl_context` hook makes it.

    Raises:
        ConfigError: the TLS settings can not be used; what the hook itself raises comes through.
    """
    words: dict[int, str] = {}

    def default_ssl_context_factory() -> ssl.SSLContext:
        try:
            return _default_context(conf)
        except _Unusable as exc:
            # A hook may have something else to offer and catches what `ssl` raises.
            words[id(exc.cause)] = str(exc)
            raise exc.cause from None

    try:
        return conf.ssl_context(conf, default_ssl_context_factory)
    except Exception as exc:
        if id(exc) in words:
            raise ConfigError(words[id(exc)]) from None
        raise


def server_context(conf: Config) -> Any:
    """The context of this configuration, made once: in the master for the native workers, so that
    they share it (a client may resume its session in any of them, and only the master needs to
    read the key), in the worker for others.

    Raises:
        ConfigError: as `make_context`; or the hook returned something else than an SSLContext.
    """
    context = vars(conf).get("_server_context")
    if context is None:
        context = make_context(conf)
        if not isinstance(context, ssl.SSLContext):
            raise ConfigError(
                f"ssl_context: the hook returned {context!r}. Return an ssl.SSLContext, such as "
                "the one that its second argument makes."
            )
        conf._server_context = context
    return context


def has_hook(conf: Config) -> bool:
    """Whether `ssl_context` is a function of the user's."""
    hook = conf.settings["ssl_context"]
    return hook.get() is not hook.default


def warn(conf: Config, log: Logger, context: Any) -> None:
    """Says what will not work with `context`: a check of client certificates that can only fail."""
    checks = context.verify_mode != ssl.CERT_NONE
    # Authorities in a directory, which a hook may have set, are not counted.
    if checks and not has_hook(conf) and not context.cert_store_stats()["x509_ca"]:
        log.warning(
            "cert_reqs = %d without a certificate authority in ca_certs: no client certificate "
            "will be accepted",
            conf.cert_reqs,
        )


class _Unusable(Exception):
    def __init__(self, text: str, cause: Exception) -> None:
        super().__init__(text)
        self.cause = cause


def _default_context(conf: Config) -> ssl.SSLContext:
    # Python's idea of a safe server, as in Gunicorn; it grows stricter from version to version.
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certfile, keyfile, ca_certs = conf.certfile, conf.keyfile, conf.ca_certs
    if certfile is None:
        text = f"keyfile = {keyfile!r} without certfile. Set certfile to the certificate (PEM)."
        raise _Unusable(text, TypeError("certfile is not set"))
    encrypted: list[str] = []

    def no_passphrase() -> str:
        encrypted.append("it")
        return ""

    named = f"certfile = {certfile!r}"
    named += "" if keyfile is None else f", keyfile = {keyfile!r}"
    try:
        # OpenSSL's own idea is to ask at the terminal: at a reload the master would wait there.
        context.load_cert_chain(certfile=certfile, keyfile=keyfile, password=no_passphrase)
    except (OSError, ValueError) as exc:
        if encrypted:
            held = "certfile" if keyfile is None else "keyfile"
            raise _Unusable(
                f"{held} = {keyfile or certfile!r} is encrypted, and nobody is there to be asked "
                "for its passphrase. Store the key without one (`openssl pkey -in KEY -out "
                "PLAIN`), or make the context in the ssl_context hook with "
                "load_cert_chain(..., password=...).",
                exc,
            ) from None
        raise _Unusable(
            f"{named} can not be used: {exc}. They must be a certificate and its private key "
            "(PEM) that belong together; without keyfile both are read from certfile.",
            exc,
        ) from None
    if ca_certs is not None:
        try:
            context.load_verify_locations(cafile=ca_certs)
        except (OSError, ValueError) as exc:
            raise _Unusable(
                f"ca_certs = {ca_certs!r} can not be used: {exc}. It must hold certificates of "
                "authorities (PEM).",
                exc,
            ) from None
    try:
        context.verify_mode = conf.cert_reqs
    except ValueError as exc:
        text = f"cert_reqs = {conf.cert_reqs!r}: use 0 (none), 1 (optional) or 2 (required)."
        raise _Unusable(text, exc) from None
    if conf.ciphers:
        try:
            context.set_ciphers(conf.ciphers)
        except ssl.SSLError as exc:
            raise _Unusable(
                f"ciphers = {conf.ciphers!r}: {exc.args[0] if exc.args else exc} Use OpenSSL's "
                "notation, such as 'ECDHE+AESGCM' (`openssl ciphers -v` shows what it means).",
                exc,
            ) from None
    return context


def connection_environ(connection: Any) -> dict[str, str]:
    """What an environ says of a TLS connection, in the words of Apache's mod_ssl.

    `SSL_PROTOCOL`, `SSL_CIPHER`, `SSL_CLIENT_VERIFY` (`NONE` or `SUCCESS`); with a client's
    certificate, which has been checked against `ca_certs` then, also `SSL_CLIENT_CERT` (PEM),
    `SSL_CLIENT_S_DN` and `SSL_CLIENT_I_DN` (RFC 4514), `SSL_CLIENT_M_SERIAL` (hexadecimal),
    `SSL_CLIENT_V_START` and `SSL_CLIENT_V_END`. No header of a request has such a name.

    Args:
        connection: an `ssl.SSLObject` or `ssl.SSLSocket` whose handshake is complete.
    """
    cipher = connection.cipher()
    environ = {
        "SSL_PROTOCOL": connection.version() or "",
        "SSL_CIPHER": cipher[0] if cipher else "",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    # Empty when it was not asked for, and so not checked.
    certificate = connection.getpeercert()
    if not certificate:
        return environ
    der = connection.getpeercert(binary_form=True)
    return environ | {
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "SSL_CLIENT_CERT": ssl.DER_cert_to_PEM_cert(der),
        "SSL_CLIENT_S_DN": distinguished_name(certificate.get("subject", ())),
        "SSL_CLIENT_I_DN": distinguished_name(certificate.get("issuer", ())),
        "SSL_CLIENT_M_SERIAL": certificate.get("serialNumber", ""),
        "SSL_CLIENT_V_START": certificate.get("notBefore", ""),
        "SSL_CLIENT_V_END": certificate.get("notAfter", ""),
    }


def distinguished_name(name: Any) -> str:
    """A name of `getpeercert()` as RFC 4514 section 2 writes it: the most specific part first.

    Values are Latin-1 text that holds UTF-8, as all of an environ (PEP 3333).
    """
    parts = ("+".join(_attribute(*pair) for pair in rdn) for rdn in reversed(name))
    return ",".join(parts).encode("utf-8", "surrogateescape").decode("latin-1")


def _attribute(key: str, value: str) -> str:
    # RFC 4514 section 2.4; control characters too, so that no value looks like two lines.
    escaped = "".join("\\" + char if char in '"+,;<>\\' else char for char in value)
    escaped = "".join(f"\\{ord(char):02X}" if char < " " else char for char in escaped)
    if escaped.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    return f"{_SHORT.get(key, key)}={escaped}"
