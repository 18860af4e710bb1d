"""From a value as typed to the value that is stored: the kinds that several settings share.

A validator returns the stored value or raises ValueError, TypeError or ConfigError with a text
for the user. Strings are accepted for numbers and booleans, since a framework's own settings
or environment variables often arrive as text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from types import FunctionType, MethodType

from rgunicorn import util
from rgunicorn.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In every default; known to be right without importing `ipaddress` at boot.
_LOOPBACK = frozenset(("127.0.0.1", "::1"))

_SIZE = re.compile(r"(\d+)(?:([kmg])(?:i?b)?)?", re.ASCII | re.IGNORECASE)
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LARGEST_SIZE = (1 << 63) - 1

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", re.ASCII | re.IGNORECASE)
_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_DURATION = 3650 * 86400


def validate_bool(val: Any) -> bool | None:
    """A bool, None, or the words true and false in any case."""
    if val is None or isinstance(val, bool):
        return val
    word = lower(val)
    if word in ("true", "false"):
        return word == "true"
    raise ValueError(f"Invalid boolean: {val}")


def validate_pos_int(val: Any) -> int:
    """An int from 0 on, or its text in Python's syntax (`0x10`, `0o22`, `1_000`)."""
    number = int(val) if isinstance(val, int) else int(val, 0)
    if number < 0:
        raise ValueError(f"Value must be positive: {number}")
    return number


def validate_size(val: Any) -> int:
    """A number of bytes: an int from 0 on, or text such as `65536`, `64K`, `16M`, `1G`.

    The units are powers of 1024. `KB` and `KiB` mean what `K` does; case does not matter.
    """
    allowed = "allowed are whole bytes, or a whole number with K, M or G, such as 64K"
    if isinstance(val, int) and not isinstance(val, bool):
        size = val
    elif isinstance(val, str):
        match = _SIZE.fullmatch(val.strip())
        if match is None:
            raise ValueError(f"Invalid size: {val!r}; {allowed}")
        size = int(match[1]) * _BYTES[(match[2] or "").lower()]
    else:
        raise TypeError(f"Invalid size: {val!r}; {allowed}")
    if not 0 <= size <= _LARGEST_SIZE:
        raise ValueError(f"Invalid size: {val!r}; allowed is from 0 to {_LARGEST_SIZE} bytes")
    return size


def validate_duration(val: Any) -> int | float:
    """Seconds: an int or float from 0 on, or text such as `30`, `1.5`, `500ms`, `2m`, `1h`, `1d`.

    Whole seconds come out as an int, to be shown as such.
    """
    allowed = "allowed are seconds, or a number with ms, s, m, h or d, such as 1.5 or 2m"
    if isinstance(val, (int, float)) and not isinstance(val, bool):
        seconds: float = val
    elif isinstance(val, str):
        match = _DURATION.fullmatch(val.strip())
        if match is None:
            raise ValueError(f"Invalid duration: {val!r}; {allowed}")
        seconds = float(match[1]) * _SECONDS[(match[2] or "").lower()]
    else:
        raise TypeError(f"Invalid duration: {val!r}; {allowed}")
    # As one comparison, for it is false for NaN.
    if not 0 <= seconds <= _LONGEST_DURATION:
        raise ValueError(f"Invalid duration: {val!r}; allowed is from 0 to 3650d")
    return int(seconds) if seconds == int(seconds) else seconds


def validate_string(val: Any) -> str | None:
    """Text without blanks at its ends, or None."""
    if val is None:
        return None
    if not isinstance(val, str):
        raise TypeError(f"Not a string: {val}")
    return val.strip()


def validate_dict(val: Any) -> dict[Any, Any]:
    """A dict, taken as it is."""
    if not isinstance(val, dict):
        raise TypeError(f"Value is not a dictionary: {val} ")
    return val


def validate_list_string(val: Any) -> list[str | None]:
    """A list of strings; one string is a list of one, anything falsy is empty."""
    if not val:
        return []
    return [validate_string(item) for item in ([val] if isinstance(val, str) else val)]


def validate_string_to_list(val: Any) -> list[str]:
    """The parts of a comma separated text."""
    text = validate_string(val)
    return [part.strip() for part in text.split(",") if part] if text else []


def validate_string_to_addr_list(val: Any) -> list[str]:
    """A comma separated text of IP addresses, networks without host bits, or `*`."""
    addresses = validate_string_to_list(val)
    for address in addresses:
        if address == "*" or address in _LOOPBACK:
            continue
        import ipaddress

        ipaddress.ip_network(address)
    return addresses


def validate_file_exists(val: Any) -> Any:
    """A path that exists, or None."""
    if val is None or os.path.exists(val):
        return val
    raise ValueError(f"File {val} does not exists.")


def validate_list_of_files_or_patterns(val: Any) -> list[Any]:
    """Paths that exist, and glob patterns, which may match files only later."""
    entries = validate_list_string(val)
    for entry in entries:
        if entry is None or not util.is_glob_pattern(entry):
            validate_file_exists(entry)
            continue
        import glob

        if not glob.glob(entry, recursive=True):
            import warnings

            warnings.warn(
                f"Pattern {entry} currently matches no files.", RuntimeWarning, stacklevel=2
            )
    return entries


def validate_chdir(val: Any) -> str:
    """An existing directory, made absolute from where the server was started."""
    given = validate_string(val)
    if given is None:
        raise TypeError("Not a string: None")
    path = os.path.abspath(os.path.join(util.getcwd(), given))
    if not os.path.isdir(path):
        raise ConfigError(f"can't chdir to {given!r}")
    return path


def validate_class(val: Any) -> Any:
    """A class, a name to load one from later, or a function that returns either."""
    if isinstance(val, (FunctionType, MethodType)):
        val = val()
    return val if isinstance(val, type) else validate_string(val)


def validate_callable(arity: int) -> Callable[[Any], Any]:
    """A validator of functions, or of dotted names of functions.

    Args:
        arity: how many positional parameters the function must have; -1 for any number.
    """

    def _validate_callable(val: Any) -> Any:
        if isinstance(val, str):
            val = _import_object(val)
        if not callable(val):
            raise TypeError(f"Value is not callable: {val}")
        if arity not in (-1, util.get_arity(val)):
            raise TypeError(f"Value must have an arity of: {arity}")
        return val

    return _validate_callable


def _import_object(dotted: str) -> Any:
    module_name, dot, name = dotted.rpartition(".")
    if not dot:
        raise TypeError(
            f"Value '{dotted}' is not import string. Format: module[.submodules...].object"
        )

    from importlib import import_module

    try:
        module = import_module(module_name)
    except ImportError as exc:
        raise TypeError(str(exc)) from exc
    try:
        return getattr(module, name)
    except AttributeError:
        raise TypeError(f"Can not load '{name}' from '{module_name}'") from None


def validate_post_request(val: Any) -> Any:
    """A hook of 4 parameters; hooks of 2 or 3, older forms, are wrapped."""
    hook = validate_callable(-1)(val)
    arity = util.get_arity(hook)
    if arity == 4:
        return hook
    if arity == 3:
        return lambda worker, req, environ, _resp: hook(worker, req, environ)
    if arity == 2:
        return lambda worker, req, _environ, _resp: hook(worker, req)
    raise TypeError("Value must have an arity of: 4")


def validate_user(val: Any) -> int:
    """A user id, from a number or a login name; None is the user we run as."""
    return _account(val, os.geteuid, _uid_of)


def validate_group(val: Any) -> int:
    """A group id, from a number or a group name; None is the group we run as."""
    return _account(val, os.getegid, _gid_of)


def _uid_of(name: str) -> int:
    import pwd

    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigError(f"No such user: '{name}'") from None


def _gid_of(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"No such group: '{name}'") from None


def _account(val: Any, own: Callable[[], int], find: Callable[[str], int]) -> int:
    """The id that `val` says, in any of the ways it can be said."""
    if val is None:
        return own()
    if isinstance(val, int):
        return val
    name = _text(val)
    return int(name) if name.isdigit() else find(name)


def one_of(val: Any, words: Collection[str], what: str) -> str:
    """The one of `words` that `val` spells, in any case.

    Args:
        what: name of the choice for the error text.
    """
    word = lower(val)
    if word not in words:
        raise ValueError(f"Invalid {what}: {val}")
    return word


def lower(val: Any) -> str:
    """Text in lower case without blanks at its ends."""
    if not isinstance(val, str):
        raise TypeError(f"Invalid type for casting: {val}")
    return val.lower().strip()


def _text(val: Any) -> str:
    if not isinstance(val, str):
        raise TypeError(f"Not a string: {val}")
    return val
