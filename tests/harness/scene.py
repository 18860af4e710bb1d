"""A server whose workers die, and what its log has to say about it."""

from __future__ import annotations

import contextlib
import re

from harness.server import Server
from harness.wait import until
from harness.wire import Wire, get


class Scene:
    """A server and its log.

    Args:
        server: writes its access log to where its error log goes.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    def send(self, path: str, *headers: str) -> bytes:
        """Everything that comes back for a request; it may be nothing."""
        with Wire(self.server.address) as wire:
            wire.send(get(path, *headers))
            # A worker that is killed may have left unread what a client sent last.
            with contextlib.suppress(ConnectionResetError):
                return wire.read_to_close()
        return b""

    def error(self, what: str, path: str) -> str:
        """The one error line about the request for `path`, once it is there."""
        return self._one(rf"^.*\[ERROR\] {what}: GET {re.escape(path)} .*$")

    def access(self, path: str) -> str:
        """The status in the one access line about the request for `path`, once it is there."""
        line = self._one(rf'^.*"GET {re.escape(path)} HTTP/1.1" .*$')
        return line.partition('HTTP/1.1" ')[2].partition(" ")[0]

    def stacks(self, pid: str) -> str:
        """The one report of the stacks of a worker, once it is there."""
        begin = f"[ERROR] Stacks of worker (pid:{pid}):"
        _, *reports = self.server.wait_log(begin).split(begin)
        assert len(reports) == 1, reports
        # It ends with the log's next line.
        return reports[0].partition("\n[")[0]

    def _one(self, pattern: str) -> str:
        found = until(
            lambda: re.findall(pattern, self.server.log(), re.MULTILINE),
            pattern,
            show=self.server.log,
        )
        assert len(found) == 1, found
        line: str = found[0]
        return line


def pid_of(line: str) -> str:
    """The worker that an error line is about."""
    found = re.search(r"pid: (\d+)\)", line)
    assert found, line
    return found[1]
