"""Exceptions that applications, workers and the arbiter raise to stop the server."""

from __future__ import annotations


class HaltServer(BaseException):
    """Stops the arbiter's loop and ends the server.

    A `BaseException`, so that an `except Exception` in a hook or an application can not keep a
    server alive that has decided to stop.

    Args:
        reason: why, for the log.
        exit_status: exit code of the master process.
    """

    def __init__(self, reason: object, exit_status: int = 1) -> None:
        super().__init__(reason, exit_status)
        self.reason = reason
        self.exit_status = exit_status

    def __str__(self) -> str:
        return f"<HaltServer {self.reason!r} {self.exit_status:d}>"


class ConfigError(Exception):
    """The configuration is wrong: its text is shown to the user and the server exits with 1."""


class AppImportError(Exception):
    """The application can not be found or is no application: the worker exits with 4."""
