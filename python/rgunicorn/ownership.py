"""Who owns a unix socket, and who may connect to it: `unix_socket_owner`, `unix_socket_mode`."""

from __future__ import annotations

import os
import re
import stat

from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

_ALLOWED_MODE = "write it in octal, as text or with 0o: '660' or 0o660"


class Rights:
    """What a socket in the file system is to have.

    Args:
        uid, gid: owner and group.
        mode: permissions, 0o777 at most.
    """

    __slots__ = ("gid", "mode", "uid")

    def __init__(self, uid: int, gid: int, mode: int) -> None:
        self.uid = uid
        self.gid = gid
        self.mode = mode


def owner(text: str) -> tuple[int | None, int | None]:
    """User and group of `USER`, `USER:GROUP` or `:GROUP`; None for what is not said.

    Raises:
        ValueError: it is none of these, or there is no such user or group.
    """
    user, colon, group = text.partition(":")
    if not (user or group) or (colon and not group) or ":" in group:
        raise ValueError(f"{text!r} names no owner: write USER, USER:GROUP or :GROUP")
    return (_user(user) if user else None), (_group(group) if group else None)


def _user(name: str) -> int:
    if name.isdecimal():
        return _fitting(name, "user")
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ValueError(
            f"there is no user {name!r} on this machine: create it, or write its number"
        ) from None


def _group(name: str) -> int:
    if name.isdecimal():
        return _fitting(name, "group")
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(
            f"there is no group {name!r} on this machine: create it, or write its number"
        ) from None


def _fitting(number: str, what: str) -> int:
    # The largest stands for "leave it as it is" in chown(2).
    if int(number) >= 2**32 - 1:
        raise ValueError(f"there is no {what} {number}: the largest number is {2**32 - 2}")
    return int(number)


def mode(value: Any) -> int:
    """The mode of an octal text, or of a number as it is.

    Raises:
        ValueError, TypeError: it is none, or more than 0o777: a decimal number is told so.
    """
    if isinstance(value, str):
        if re.fullmatch(r"(0o)?[0-7]{1,4}", value, re.ASCII) is None or int(value, 8) > 0o777:
            raise ValueError(f"{value!r} is no mode of a socket: {_ALLOWED_MODE}")
        return int(value, 8)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no mode of a socket: {_ALLOWED_MODE}")
    if not 0 <= value <= 0o777:
        decimal = re.fullmatch("[0-7]{3,4}", str(value)) is not None
        hint = f" is decimal, and means {value:#o} in octal" if decimal else " is no mode"
        raise ValueError(f"{value}{hint}: {_ALLOWED_MODE}")
    return value


def rights(conf: Any) -> Rights | None:
    """What the settings of `conf` ask for; None when neither is used.

    What they do not say is as without them: the owner by `user` and `group`, the mode by `umask`.
    """
    named = getattr(conf, "unix_socket_owner", None)
    octal = getattr(conf, "unix_socket_mode", None)
    return by_default(conf) if named is not None or octal is not None else None


def by_default(conf: Any) -> Rights:
    """The same, also when neither is used."""
    named = getattr(conf, "unix_socket_owner", None)
    octal = getattr(conf, "unix_socket_mode", None)
    uid, gid = owner(named) if named is not None else (None, None)
    return Rights(
        conf.uid if uid is None else uid,
        conf.gid if gid is None else gid,
        0o777 & ~conf.umask if octal is None else mode(octal),
    )


def bind(sock: socket.socket, path: str, wanted: Rights, conf: Any) -> None:
    """Binds `sock` to `path`, which has these rights when anybody can connect: nobody can before
    `listen`, and at no time is it more open than it shall be.

    Args:
        conf: the settings, for the words of the error.

    Raises:
        OSError: bind(2)'s.
        ConfigError: we may not give it away; there is no file then.
    """
    # Linux makes the file with the socket's own mode: there is no chmod of a path that somebody
    # could have replaced.
    os.fchmod(sock.fileno(), wanted.mode)
    umask = os.umask(0)
    try:
        sock.bind(path)
    finally:
        os.umask(umask)
    try:
        change(path, wanted, conf)
    except BaseException:
        os.unlink(path)
        raise


def change(path: str, wanted: Rights, conf: Any) -> None:
    """Gives the socket at `path` these rights.

    Raises:
        ConfigError: we may not.
        OSError: there is none.
    """
    there = os.lstat(path)
    if not stat.S_ISSOCK(there.st_mode):
        raise ConfigError(f"{path} is no socket any more: somebody has replaced it")
    # Closed before it changes hands, opened afterwards.
    if stat.S_IMODE(there.st_mode) & ~wanted.mode:
        os.chmod(path, stat.S_IMODE(there.st_mode) & wanted.mode)
    if (there.st_uid, there.st_gid) != (wanted.uid, wanted.gid):
        try:
            os.chown(path, wanted.uid, wanted.gid, follow_symlinks=False)
        except PermissionError as exc:
            raise _forbidden(path, conf, exc) from exc
    if stat.S_IMODE(os.lstat(path).st_mode) != wanted.mode:
        os.chmod(path, wanted.mode)


def _forbidden(path: str, conf: Any, exc: OSError) -> ConfigError:
    named = getattr(conf, "unix_socket_owner", None)
    said = f"user = {conf.uid}, group = {conf.gid}"
    if named is not None:
        said = f"unix_socket_owner = {named!r}"
    return ConfigError(
        f"{said}: {path} can not be given away: {exc.strerror}. Start the server as root or with "
        "CAP_CHOWN, or name a group that its user is in (:GROUP)."
    )
