"""Risks of what the server believes and lets in; TLS files."""

from __future__ import annotations

import os

from rgunicorn import static_map
from rgunicorn.doctor.finding import ERROR, HINT, WARNING, Finding
from rgunicorn.doctor.words import Recorder, parts
from rgunicorn.errors import ConfigError
from rgunicorn.util import parse_address, user_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject

EVERYWHERE = ("", "0.0.0.0", "::")
TRUSTING = {
    "forwarded_allow_ips": "X-Forwarded-Proto, SCRIPT_NAME and the like",
    "proxy_allow_ips": "a PROXY preamble, and so an address of its choice",
    "uwsgi_allow_ips": "a uwsgi packet, and so an environ of its choice",
}
# What lies in a project and in no directory that is meant for browsers.
SOURCE = (".py", ".pyc", ".sqlite3", ".pem", ".key")
PROJECT = ("pyproject.toml", "Dockerfile", "Procfile", "requirements.txt")
UNLIMITED = {
    "limit_request_line": (0, "a request line of any length", 4094),
    "limit_request_field_size": (0, "a header of any length", 8190),
}


def trust(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: everybody is believed, and everybody can connect."""
    cfg = subject.cfg
    if not _open_to_all(subject):
        return
    active = {
        "forwarded_allow_ips": True,
        "proxy_allow_ips": cfg.proxy_protocol != "off",
        "uwsgi_allow_ips": cfg.protocol == "uwsgi",
    }
    for name, what in TRUSTING.items():
        if active[name] and "*" in cfg.settings[name].get():
            yield subject.finding(
                WARNING,
                "trust-everybody",
                name,
                f"bind is open to the network, and whoever connects may send {what}",
                subject.write(name, "127.0.0.1,::1"),
            )


def status(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: the status pages are open to the network."""
    bind = subject.cfg.status_bind
    where = None if bind is None else parse_address(bind)
    if not isinstance(where, tuple) or not _is_public(where[0]):
        return
    # In a container there is no other way, and who gets there is decided outside.
    yield subject.finding(
        HINT if machine.in_container else WARNING,
        "status-open",
        "status_bind",
        "whoever can connect there reads how many requests you have, of what kind, and how long "
        "they take; nobody is asked who they are",
        subject.write("status_bind", f"127.0.0.1:{where[1]}") + ", or a firewall before it",
    )


def limits(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields limits that are off, and rules of HTTP that are."""
    cfg = subject.cfg
    for name, (off, what, default) in UNLIMITED.items():
        if cfg.settings[name].get() == off:
            yield subject.finding(
                WARNING,
                "no-limit",
                name,
                f"a client may send {what}, and fill the memory",
                subject.write(name, default),
            )
    for name in ("permit_obsolete_folding", "strip_header_spaces"):
        if cfg.settings[name].get():
            yield subject.finding(
                WARNING,
                "lenient-parser",
                name,
                "a proxy in front may read such a header otherwise: a way to smuggle requests",
                subject.drop(name),
            )
    if cfg.header_map == "dangerous":
        yield subject.finding(
            WARNING,
            "lenient-parser",
            "header_map",
            "X_Real_Ip and X-Real-Ip become one name: a client can forge what a proxy sets",
            subject.write("header_map", "drop"),
        )


def files(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields directories that are served and hold what nobody outside should read."""
    cfg = subject.cfg
    for prefix, directory in static_map.places(cfg):
        try:
            names = sorted(entry.name for entry in os.scandir(directory))
        except OSError:
            # Another check says so.
            continue
        source = [name for name in names if name.endswith(SOURCE) or name in PROJECT]
        if source:
            yield subject.finding(
                WARNING,
                "source-served",
                "static_map",
                f"{directory} has {source[0]} in it, which anybody may read then as "
                f"{prefix}/{source[0]}",
                subject.write("static_map", f"{prefix}={directory}/static"),
            )


def tls(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields TLS files and values that can not be used: the context is made as the server does."""
    cfg = subject.cfg
    if not cfg.is_ssl:
        return
    from rgunicorn import tls as context

    log = Recorder()
    try:
        context.check_files(cfg)
        context.warn(cfg, log, context.server_context(cfg))  # type: ignore[arg-type]
    except ConfigError as exc:
        name, why, change = parts(str(exc), subject, ". ")
        yield subject.finding(ERROR, "tls", name, why, change)
    except Exception as exc:
        yield subject.finding(
            ERROR,
            "tls",
            "ssl_context",
            f"the hook fails: {exc}",
            "correct the function",
            user_traceback(exc),
        )
    for line in log.lines:
        name, why, _ = parts(line, subject)
        yield subject.finding(WARNING, "tls", name, why, 'ca_certs = "ca.pem"')
    if any(str(bind).endswith(":80") for bind in cfg.bind):
        yield subject.finding(
            HINT,
            "tls-on-80",
            "bind",
            "port 80 speaks TLS as well: all listeners do when a certificate is set",
            'bind = "0.0.0.0:443"',
        )


def _is_public(host: str) -> bool:
    """Whether others than those of a private network may get there. A name is not looked up."""
    from ipaddress import ip_address

    if host in EVERYWHERE:
        return True
    try:
        return ip_address(host).is_global
    except ValueError:
        return False


def _open_to_all(subject: Subject) -> bool:
    try:
        addresses = subject.cfg.address
    except RuntimeError:
        # Another check says so.
        return False
    return any(isinstance(where, tuple) and where[0] in EVERYWHERE for where in addresses)
