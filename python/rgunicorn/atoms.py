"""Access log atoms: what `%(x)s` in an `access_log_format` stands for."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from rgunicorn import _core, _process

# Ours. Made only for who asks for them, for everything else of an atoms mapping is Gunicorn's.
MORE = ("slot", "queue_time", "request_id", "traceparent")


class SafeAtoms(dict[str, Any]):
    """Access log atoms: unknown ones read `-`, `{Name}x` in any case, values can't end the line.

    Strings get a backslash before `"`, as in Gunicorn, and every control character (C0, DEL, C1)
    becomes `\\xHH`: without that a client forges log lines with `%0A` in a path. The Rust renderer
    does the same (`src/log/escape.rs`).
    """

    _CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        super().__init__()
        for key, value in atoms.items():
            if isinstance(value, str):
                value = value.replace('"', '\\"')
                # Printable is the common case, and the cheap question.
                if not value.isprintable():
                    value = value.translate(self._CONTROLS)
            self[key] = value

    def __getitem__(self, key: str) -> Any:
        return self.get(key.lower() if key.startswith("{") else key, "-")


def atoms_of(
    resp: Any,
    req: Any,
    environ: Mapping[str, Any],
    request_time: datetime.timedelta,
    now: str,
    user_of: Callable[[Mapping[str, Any]], str | None],
) -> dict[str, Any]:
    """The value of each atom, not yet escaped.

    Args:
        resp, req, environ, request_time: as in `Logger.access`.
        now: the time of the line, with brackets.
        user_of: finds the user in an environ.
    """
    fields = _fields_of(req)
    environ = full_environ(req, environ)

    status = resp.status
    if isinstance(status, str):
        status = status.split(None, 1)[0]
    sent = getattr(resp, "sent", None)
    # `timedelta.seconds` alone starts again at 0 every 24 hours; a clock set back is no time.
    micros = max(0, request_time // datetime.timedelta(microseconds=1))
    seconds, fraction = divmod(micros, 1_000_000)
    method, target, protocol = (
        environ.get(key, "-") for key in ("REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL")
    )
    return {
        "h": environ.get("REMOTE_ADDR", "-"),
        "l": "-",
        "u": user_of(environ) or "-",
        "t": now,
        "r": f"{method} {target} {protocol}",
        "s": status,
        "m": method,
        "U": environ.get("PATH_INFO", "-"),
        "q": environ.get("QUERY_STRING", "-"),
        "H": protocol,
        "b": "-" if sent is None else str(sent),
        "B": sent,
        "f": environ.get("HTTP_REFERER", "-"),
        "a": environ.get("HTTP_USER_AGENT", "-"),
        "T": seconds,
        "D": micros,
        "M": micros // 1000,
        "L": f"{seconds}.{fraction:06}",
        "p": f"<{pid_of(req)}>",
        **{f"{{{name.lower()}}}i": value for name, value in fields},
        **{f"{{{name.lower()}}}o": value for name, value in _pairs(resp.headers)},
        **{f"{{{name.lower()}}}e": value for name, value in environ.items()},
    }


def more_atoms(req: Any, environ: Mapping[str, Any]) -> dict[str, str]:
    """Those that Gunicorn does not have, and shows as `-`: `MORE`."""
    environ = full_environ(req, environ)
    slot, waited_us = slot_of(req), getattr(req, "queue_us", None)
    parent = environ.get("HTTP_TRACEPARENT")
    return {
        "slot": "-" if slot is None else str(slot),
        "queue_time": "-"
        if waited_us is None
        else f"{waited_us // 1_000_000}.{waited_us % 1_000_000:06}",
        "request_id": known_request_id(req, environ) or "-",
        "traceparent": (_core.traceparent(parent) if isinstance(parent, str) else None) or "-",
    }


def full_environ(req: Any, environ: Mapping[str, Any]) -> Mapping[str, Any]:
    """`environ`, with the variables of `req` if it lacks them."""
    if "PATH_INFO" in environ:
        return environ
    return {**_environ_of(req, _fields_of(req)), **environ}


def status_of(resp: Any) -> int | None:
    """The status code of a response; None when its status does not begin with one."""
    status = resp.status
    if isinstance(status, bytes):
        status = status.decode("latin-1")
    if isinstance(status, str):
        status = status[:3]
        status = int(status) if status.isascii() and status.isdigit() else None
    return status if isinstance(status, int) and 0 < status < 1000 else None


def pid_of(req: Any) -> int:
    """The worker's process id; the master tells of workers that are gone."""
    return getattr(req, "worker_pid", None) or os.getpid()


def slot_of(req: Any) -> int | None:
    """Number of the worker's slot, None for one without."""
    if hasattr(req, "worker_slot"):
        slot: int | None = req.worker_slot
        return slot
    return _process.worker_slot


def known_request_id(req: Any, environ: Mapping[str, Any]) -> str | None:
    """The request's name, None when it has none."""
    return environ.get("rgunicorn.request_id") or getattr(req, "request_id", None)


def _fields_of(req: Any) -> list[tuple[str, Any]]:
    return _pairs(getattr(req, "headers", req))


def _pairs(fields: Any) -> list[tuple[str, Any]]:
    return list(fields.items() if hasattr(fields, "items") else fields)


def _environ_of(req: Any, fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The variables of `req` that access atoms are made of, for an environ that lacks them.

    A request that fails before or inside the app is logged with what there is of its environ.
    """
    environ: dict[str, Any] = {}
    for key, name in (("REQUEST_METHOD", "method"), ("RAW_URI", "uri"), ("QUERY_STRING", "query")):
        if hasattr(req, name):
            environ[key] = getattr(req, name)
    if hasattr(req, "version"):
        environ["SERVER_PROTOCOL"] = "HTTP/" + ".".join(str(part) for part in req.version)
    if getattr(req, "path_info", None) is not None:
        # A uwsgi proxy has decoded it.
        environ["PATH_INFO"] = req.path_info
    elif hasattr(req, "path"):
        environ["PATH_INFO"] = unquote_to_bytes(req.path).decode("latin-1")
    for name, value in fields:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
