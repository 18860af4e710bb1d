"""`Touch`: the files of `touch_reload`, looked at once in a while.

The master has no thread and keeps no descriptor for them, because its workers are forks of it: a
look is one stat(2) for each file.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger

# Seconds between two looks, however often the main loop turns.
_PERIOD = 1.0

# What stat(2) says of a file; None: it is not there.
_State = tuple[int, int, int, int] | None


class Touch:
    """Remembers how the files were."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        # Those whose look failed, so that it is said once.
        self._blind: set[str] = set()
        self._due = 0.0

    def note(self, cfg: Config, log: Logger) -> None:
        """Takes the files as they are: what has changed up to now needs no reload (any more).

        Args:
            cfg: the settings `touch_reload` and `chdir`.
            log: hears of files that can not be looked at.
        """
        self._states = {path: self._state(path, log) for path in _paths(cfg)}
        self._blind &= self._states.keys()

    def learn(self, cfg: Config, log: Logger) -> None:
        """Takes over the list of a configuration: `note` for files that are new to it. Arguments as
        there."""
        known = self._states
        self._states = {
            path: known[path] if path in known else self._state(path, log) for path in _paths(cfg)
        }

    def look(self, cfg: Config, log: Logger) -> str | None:
        """The first file that has changed since the last look: written, touched, replaced, or there
        again. One that has gone has not: whoever replaces it may not be done. Arguments as of
        `note`.
        """
        if not self._states:
            return None
        now = time.monotonic()
        if now < self._due:
            return None
        self._due = now + _PERIOD
        before = self._states
        self.note(cfg, log)
        for path, state in self._states.items():
            if state is not None and state != before.get(path, state):
                return path
        return None

    def _state(self, path: str, log: Logger) -> _State:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            if path not in self._blind:
                self._blind.add(path)
                log.warning("touch_reload can not look at a file: %s", exc)
            return None
        self._blind.discard(path)
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _paths(cfg: Config) -> list[str]:
    # Not in the working directory: hooks and applications may change that.
    return [os.path.join(cfg.chdir, path) for path in cfg.touch_reload]
