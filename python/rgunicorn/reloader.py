"""Watches the application's source files (the `reload` setting).

A file has changed when its identity has: modification time, size or inode. So a file that an
editor replaced by renaming another over it is seen, even when the new one is older.
"""

from __future__ import annotations

import ctypes
import glob
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable

Callback = Callable[[str], object]

# Which entries of `reload_extra_files` are patterns.
_MAGIC = re.compile(r"[*?[]")
# When a directory has changed, wait for the rest of what the editor or compiler does.
_SETTLE_SECONDS = 0.05


class ReloaderBase(threading.Thread):
    """A daemon thread that calls back with the name of each file that has changed.

    Args:
        extra_files: more files to watch than the imported modules; glob patterns are looked up
            each time, so files made later count.
        interval: seconds between two looks.
        callback: called with the file's path, on this thread.
    """

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        interval: float = 1,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(daemon=True)
        extra = set(extra_files or ())
        self._extra_patterns = {entry for entry in extra if _MAGIC.search(entry)}
        self._extra_files = extra - self._extra_patterns
        self._interval = interval
        self._callback = callback
        self._seen: dict[str, tuple[int, ...]] = {}

    def add_extra_file(self, filename: str) -> None:
        """Watches one more file, from its state now on."""
        self._extra_files.add(filename)
        self._has_changed(filename)

    def get_files(self) -> list[str]:
        """The files watched now."""
        # Other threads import meanwhile. Without the GIL list() copies under the dict's lock, where
        # tuple() iterates and raises.
        modules = list(sys.modules.values())
        files = {path for module in modules if (path := _source_of(module))}
        files.update(self._extra_files)
        for pattern in self._extra_patterns:
            files.update(glob.glob(pattern, recursive=True))
        return sorted(files)

    def run(self) -> None:
        while True:
            for filename in self.get_files():
                if self._has_changed(filename) and self._callback is not None:
                    self._callback(filename)
            self._wait()

    def _wait(self) -> None:
        time.sleep(self._interval)

    def _has_changed(self, filename: str) -> bool:
        """Whether the file is another than when last looked at; a missing one may yet return."""
        try:
            status = os.stat(filename)
        except OSError:
            return False
        now = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
        before = self._seen.get(filename)
        self._seen[filename] = now
        return before is not None and before != now


class Reloader(ReloaderBase):
    """Looks at every file each `interval`."""


class InotifyReloader(ReloaderBase):
    """Looks at every file when inotify(7) reports a change in one of their directories.

    It goes on looking each `interval` too: a container's bind mount or a network file system may
    report nothing.

    Raises:
        OSError: no inotify on this system, or no instance left (`fs.inotify.max_user_instances`).
    """

    # <sys/inotify.h>
    _CHANGES = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200  # MODIFY ATTRIB MOVED CREATE DELETE

    def __init__(
        self,
        extra_files: Iterable[str] | None = None,
        callback: Callback | None = None,
        interval: float = 1,
    ) -> None:
        super().__init__(extra_files=extra_files, interval=interval, callback=callback)
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"inotify: {os.strerror(code)}")
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def get_files(self) -> list[str]:
        files = super().get_files()
        # A change behind a link is one in the directory of its target.
        links = [os.path.realpath(path) for path in files if os.path.islink(path)]
        dirs = {os.path.dirname(os.path.abspath(path)) for path in files + links}
        for path in dirs:
            # Again each time, for a directory made anew under its old name; the kernel knows which
            # it watches. What can't be watched (fs.inotify.max_user_watches) is still looked at.
            self._libc.inotify_add_watch(self._fd, os.fsencode(path), self._CHANGES)
        return files

    def _wait(self) -> None:
        if not self._poll.poll(self._interval * 1000):
            return
        time.sleep(_SETTLE_SECONDS)
        # Which file it was does not matter: `_has_changed` is asked about each.
        while self._poll.poll(0):
            os.read(self._fd, 65536)


def preferred_reloader(
    extra_files: Iterable[str] | None = None, callback: Callback | None = None
) -> ReloaderBase:
    """The `auto` engine: inotify where it is to be had, else polling."""
    try:
        return InotifyReloader(extra_files=extra_files, callback=callback)
    except OSError:
        return Reloader(extra_files=extra_files, callback=callback)


reloader_engines: dict[str, Callable[..., ReloaderBase]] = {
    "auto": preferred_reloader,
    "poll": Reloader,
    "inotify": InotifyReloader,
}


def _source_of(module: object) -> str | None:
    """The file of a value in `sys.modules`, the source for a compiled one.

    Read from the module's own dict: asking a lazy module for an attribute would import it.
    """
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    path = namespace.get("__file__")
    if not isinstance(path, str):
        return None
    return path[:-1] if path.endswith((".pyc", ".pyo")) else path
