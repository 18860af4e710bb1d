"""The config file as text. Values are literals and everything else is a comment, so no text of a
uWSGI file is ever code."""

from __future__ import annotations

import textwrap

from rgunicorn import __version__
from rgunicorn.uwsgi_import.draft import Draft, Fate, Left, Line
from rgunicorn.uwsgi_import.option import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_WIDTH = 100
# Of a value in a comment; the setting has all of it.
_LONGEST = 300

# Settings in the order of the file.
_PARTS = (
    (
        "Application",
        "wsgi_app paste chdir pythonpath raw_env preload_app reload",
    ),
    (
        "Addresses",
        "bind protocol uwsgi_allow_ips proxy_protocol backlog reuse_port certfile keyfile ciphers "
        "ca_certs cert_reqs unix_socket_mode unix_socket_owner umask",
    ),
    (
        "Processes",
        "workers min_workers max_workers worker_class worker_connections threads user group "
        "pidfile daemon proc_name",
    ),
    (
        "Replacing workers",
        "max_requests max_requests_jitter max_worker_lifetime max_worker_lifetime_jitter max_rss "
        "max_rss_hard touch_reload reload_strategy",
    ),
    (
        "Times",
        "request_timeout timeout graceful_timeout keepalive sync_keepalive client_header_timeout "
        "client_body_timeout client_write_timeout",
    ),
    (
        "Requests",
        "limit_request_line limit_request_field_size request_buffer_size request_buffer_limit "
        "sendfile static_map",
    ),
    (
        "Logs and status",
        "errorlog capture_output accesslog access_log_when access_log_format log_slow syslog "
        "status_bind",
    ),
)
ORDER = tuple(name for _, names in _PARTS for name in names.split())


def as_file(draft: Draft, title: str, virtualenv: str | None, name: str) -> str:
    """The config file.

    Args:
        draft: what is in it.
        title: what it is made of.
        virtualenv: where the uWSGI file says that packages are.
        name: of the file.
    """
    start = "rgunicorn"
    if virtualenv is not None:
        start = f"{virtualenv}/bin/rgunicorn"
    lines = [
        *_comment(f"Made by rgunicorn import-uwsgi {__version__} of {title}."),
        "#",
        *_comment(f"Start:  {start} -c {name}"),
        *_comment(f"Check:  {start} doctor -c {name}"),
        *(wrapped for remark in draft.remarks for wrapped in ("#", *_comment(remark))),
    ]
    for part, names in _PARTS:
        written = [
            line
            for name in names.split()
            for line in (draft.lines.get(name), *_proposed(draft, name))
            if line is not None
        ]
        if written:
            lines += ["", f"# --- {part} ---"]
        for line in written:
            lines += ["", *_setting(line)]
    for fate in Fate:
        left = [one for one in draft.left if one.fate is fate]
        if left:
            lines += ["", f"# --- {fate.value} ---", "#"]
        for one in left:
            lines += _left(one)
    return "\n".join(lines) + "\n"


def _proposed(draft: Draft, name: str) -> Iterator[Line]:
    return (line for line in draft.proposals if line.setting == name)


def _setting(line: Line) -> Iterator[str]:
    for option in line.sources:
        yield from _comment(cited(option))
    for note in line.notes:
        yield from _comment(note)
    for text in literal(line.setting, line.value):
        yield text if line.active else f"# {text}"


def literal(name: str, value: Any) -> list[str]:
    """An assignment, in lines; the value is a str, number, bool, or list of str."""
    if name == "umask" and isinstance(value, int):
        return [f"{name} = {value:#o}"]
    if isinstance(value, list):
        inner = ", ".join(map(_literal, value))
        if len(inner) + len(name) < _WIDTH - 5:
            return [f"{name} = [{inner}]"]
        return [f"{name} = [", *(f"    {_literal(one)}," for one in value), "]"]
    return [f"{name} = {_literal(value)}"]


def _literal(value: Any) -> str:
    if isinstance(value, str) and '"' not in value:
        # Python's own quoting, but in double quotes: those are what it takes next to a single one.
        return '"' + repr("'" + value)[2:]
    return repr(value)


def cited(option: Option) -> str:
    """Where an option stands and how it is written."""
    written = f"{option.place}: {_short(option.written)}"
    value = "" if option.value is None else option.value
    # What the placeholders have made of it.
    if not value or value in option.written or option.unclear:
        return written
    return f"{written}  ->  {_short(value)}"


def _short(text: str) -> str:
    # Columns of the uWSGI file are no use here.
    text = " ".join(word for word in text.split(" ") if word)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _left(one: Left) -> Iterator[str]:
    yield from _comment(cited(one.option))
    instead = f" Instead: {one.instead}." if one.instead else ""
    yield from _comment(f"{one.why}{instead}", "    ")


def _comment(text: str, indent: str = "") -> list[str]:
    prefix = f"# {indent}"
    return textwrap.wrap(
        plain(text),
        _WIDTH,
        initial_indent=prefix,
        subsequent_indent=f"{prefix}    " if not indent else prefix,
        break_long_words=False,
        break_on_hyphens=False,
    )


def plain(text: str) -> str:
    """The text in one line: what is no printable character is written as its escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
