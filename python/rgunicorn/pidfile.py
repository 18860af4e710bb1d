"""`Pidfile`: the file that tells others which process is the master."""

from __future__ import annotations

import os

from rgunicorn import util


class Pidfile:
    """A file that holds one process id.

    Args:
        fname: its path. Empty: a new temporary file.
    """

    def __init__(self, fname: str) -> None:
        self.fname = fname
        self.pid: int | None = None

    def create(self, pid: int) -> None:
        """Writes `pid`, in one step: a reader sees the old content or the new, never half.

        Raises:
            RuntimeError: another living process is named in the file, or its directory is missing.
        """
        owner = self.validate()
        if owner == os.getpid():
            self.pid = pid
            return
        if owner:
            raise RuntimeError(
                f"Already running on PID {owner} (or pid file '{self.fname}' is stale)"
            )
        self._write(pid)

    def take_over(self, path: str, predecessor: int) -> None:
        """Moves our pid to the file `path`, which may still name `predecessor`.

        A predecessor that was killed leaves its file, and its pid looks alive until somebody has
        waited for it; but it is known to be dead, because we are no longer its child.

        Raises:
            RuntimeError: a third process is named in the file, or its directory is missing.
        """
        pid = self.pid if self.pid is not None else os.getpid()
        self.unlink()
        self.fname = path
        if self.validate() == predecessor:
            self._write(pid)
        else:
            self.create(pid)

    def rename(self, path: str) -> None:
        """Moves our pid to the file `path`.

        Raises:
            RuntimeError: as `create`.
        """
        self.take_over(path, predecessor=0)

    def unlink(self) -> None:
        """Removes the file if it (still) holds our pid."""
        if self.pid is not None and self._read() == self.pid:
            util.unlink(self.fname)

    def validate(self) -> int | None:
        """The living process named in the file, None if there is none."""
        pid = self._read()
        if not pid or pid < 0:
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass  # alive, and somebody else's
        return pid

    def _read(self) -> int | None:
        if not self.fname:
            return None
        try:
            with open(self.fname, encoding="utf-8", errors="replace") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def _write(self, pid: int) -> None:
        import tempfile  # and much that it needs: only for those who want a pidfile

        directory = os.path.dirname(self.fname)
        if directory and not os.path.isdir(directory):
            raise RuntimeError(f"{directory} doesn't exist. Can't create pidfile.")
        # Relative names stay in the working directory: a rename can not cross file systems.
        fd, temporary = tempfile.mkstemp(dir=directory or ("." if self.fname else None))
        try:
            os.write(fd, b"%d\n" % pid)
            os.fchmod(fd, 0o644)
        finally:
            os.close(fd)
        if self.fname:
            os.rename(temporary, self.fname)
        else:
            self.fname = temporary
        self.pid = pid
