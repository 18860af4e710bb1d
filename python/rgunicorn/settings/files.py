"""Settings of ours for files: static ones, and the sockets in the file system."""

from __future__ import annotations

import os

from rgunicorn import ownership, static_map
from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_list_string, validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config


def validate_static_map(val: Any) -> list[str]:
    """Entries `PREFIX=DIR`: a list, one string, or a dict of prefixes and directories."""
    if isinstance(val, dict):
        val = [f"{prefix}={os.fspath(directory)}" for prefix, directory in val.items()]
    entries = [entry or "" for entry in validate_list_string(val)]
    seen: dict[str, str] = {}
    for entry in entries:
        prefix, _ = static_map.split(entry)
        if prefix in seen:
            raise ValueError(
                f"static_map: {seen[prefix]!r} and {entry!r} have the same prefix: keep one"
            )
        seen[prefix] = entry
    return entries


def validate_owner(val: Any) -> str | None:
    """`USER`, `USER:GROUP` or `:GROUP` that exist, or None."""
    text = validate_string(val)
    if text is not None:
        try:
            ownership.owner(text)
        except ValueError as exc:
            raise ConfigError(f"unix_socket_owner: {exc}") from None
    return text


def validate_mode(val: Any) -> str | None:
    """An octal mode, as it is written, or None."""
    if val is None:
        return None
    try:
        return f"{ownership.mode(val.strip() if isinstance(val, str) else val):03o}"
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"unix_socket_mode: {exc}") from None


def refuse_places(cfg: Config) -> None:
    """Checks that the directories of `static_map` are there.

    Raises:
        ConfigError: one of them is not, or is no directory.
    """
    if "static_map" not in cfg.settings:
        return
    for entry, (_, directory) in zip(cfg.static_map, static_map.places(cfg), strict=True):
        if os.path.isdir(directory):
            continue
        what = "is no directory" if os.path.exists(directory) else "does not exist"
        raise ConfigError(
            f"static_map = {entry!r}: {directory} {what}. Create it (Django: collectstatic), or "
            "correct the path; a relative one begins at chdir."
        )


class StaticMap(Setting):
    name = "static_map"
    section = "rgunicorn"
    cli = ["--static-map"]
    action = "append"
    meta = "PREFIX=DIR"
    validator = validate_static_map
    default = []
    desc = """\
        Directories whose files are served without the application; give the flag again for more.

        `/static=/srv/app/static` answers GET and HEAD of `/static/x.css` with
        `/srv/app/static/x.css`, while all threads are busy as well. In a config file also a dict:
        `{"/static": "/srv/app/static"}`. Of several prefixes the longest counts; a prefix ends
        where a component of the path ends. It is compared with the path below SCRIPT_NAME.

        Left to the application are other methods, directories, what is not there, and names that
        begin with a dot (but `.well-known`). What may not be read, and symbolic links that lead out
        of the directory, are answered with 403 and told in the error log.

        With conditional requests, ranges, `x.css.br` and `x.css.gz` beside `x.css` for clients that
        take them. Python's `mimetypes` says what type a file has. The hooks `pre_request` and
        `post_request` are not called, and the requests do not count for `max_requests`, but in the
        gevent workers and in subclasses that are served by a loop in Python.

        Each worker opens the directories at its start: a symbolic link to the current release is
        followed anew at each reload.
        """


class UnixSocketOwner(Setting):
    name = "unix_socket_owner"
    section = "rgunicorn"
    cli = ["--unix-socket-owner"]
    meta = "USER[:GROUP]"
    validator = validate_owner
    default = None
    desc = """\
        Who owns the unix sockets of `bind`: `USER`, `USER:GROUP` or `:GROUP`, names or numbers.

        By default `user` and `group` own them. To give a socket to another user the server is
        started as root; its group can be any that its user is in.

        Set before anybody can connect. Sockets that were inherited (systemd, `fd://`, USR2) stay as
        they are; a reload with another value changes those that the server has made itself.
        """


class UnixSocketMode(Setting):
    name = "unix_socket_mode"
    section = "rgunicorn"
    cli = ["--unix-socket-mode"]
    meta = "MODE"
    validator = validate_mode
    default = None
    desc = """\
        The mode of the unix sockets of `bind`, in octal: `660`.

        Who connects needs write permission. In a config file text or
        `0o660`; the number 660 would mean something else, and is refused.
        By default `umask` decides. For which sockets and when: as `unix_socket_owner`.
        """
