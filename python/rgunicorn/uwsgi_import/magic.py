"""Magic variables: `%n` and its like, which stand for the file, the machine or the user."""

from __future__ import annotations

import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Those whose value is only known where and when uWSGI runs.
_UNKNOWABLE = {
    "V": "%V is the version of uWSGI",
    "t": "%t is the time of the start",
    "T": "%T is the time of the start",
    "b": "%b is the path of uWSGI",
    "i": "%i is the inode of the file",
    "I": "%I is the inode of the file",
    "j": "%j is a hash of the file's path",
    "J": "%J is a hash of the file's path",
}
_OF_THE_FILE = "oOpPsSdDeEnNcCxX0123456789"


class Magic:
    """The magic variables of one file."""

    def __init__(self, path: str | None, section: str, first: Magic | None = None) -> None:
        """
        Args:
            path: of the file as given; None for standard input, which has no name.
            section: what follows the path's colon; empty without.
            first: those of the first file that is read, for the capital letters.
        """
        self._names: dict[str, str] = {"%": "%", "(": "%(", "[": "\033"}
        if path is not None:
            self._fill(path, section)
        top = first or self
        for name in "OPSDENCX":
            if name.lower() in top._names:
                self._names[name] = top._names[name.lower()]

    def _fill(self, path: str, section: str) -> None:
        full = os.path.abspath(path)
        # A symbolic link keeps its own name; its directory is resolved, as every other path.
        directory = os.path.realpath(os.path.dirname(full))
        full = os.path.join(directory, os.path.basename(full))
        if not os.path.islink(full):
            full = os.path.realpath(full)
            directory = os.path.dirname(full)
        base = os.path.basename(full)
        stem, dot, extension = base.rpartition(".")
        self._names |= {"o": path, "p": full, "s": base, "x": section}
        self._names["d"] = directory.rstrip("/") + "/"
        self._names |= {"n": stem if dot else base, "e": extension if dot else ""}
        self._names["c"] = os.path.basename(directory)
        parts = [part for part in directory.split("/") if part]
        self._names |= {str(i): parts[i] if i < len(parts) else "" for i in range(10)}

    def fill_in(self, text: str) -> tuple[str, list[str], str]:
        """The text with magic variables replaced.

        Returns:
            the text; what is known only of this machine, one sentence each; and why the text can
            not be known, or nothing.
        """
        pieces: list[str] = []
        notes: list[str] = []
        unclear = ""
        at = 0
        while at < len(text):
            name = text[at + 1 : at + 2]
            if text[at] == "%" and not name:
                # It would take the line end with it, and so the next line.
                unclear = unclear or "the percent sign at its end joins it with the next line"
            if text[at] != "%" or not name:
                pieces.append(text[at])
                at += 1
                continue
            at += 2
            if name in self._names:
                pieces.append(self._names[name])
            elif name in _UNKNOWABLE:
                unclear = unclear or _UNKNOWABLE[name]
            elif name in _OF_THE_FILE:
                unclear = (
                    unclear or f"%{name} is about the file's name, and standard input has none"
                )
            elif name in (here := _of_this_machine()):
                pieces.append(here[name])
                notes.append(f"%{name} is {here[name]!r} here.")
            else:
                # uWSGI leaves out what it does not know.
                notes.append(f"uWSGI knows no %{name} and drops it; a percent sign is %%.")
        return "".join(pieces), notes, unclear


def _of_this_machine() -> Mapping[str, str]:
    user, group = os.getuid(), os.getgid()
    return {
        "v": os.getcwd(),
        "h": socket.gethostname(),
        "k": str(os.cpu_count() or 1),
        "u": str(user),
        "U": _user_name(user),
        "g": str(group),
        "G": _group_name(group),
    }


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
