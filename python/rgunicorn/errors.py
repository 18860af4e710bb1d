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


class MissingPackage(ConfigError, RuntimeError, ImportError):
    """The package of a worker class is not there.

    Also what Gunicorn's modules raise then (RuntimeError), and what programs expect that only try
    whether a module can be imported.
    """


def missing_package(worker: str, package: str, exc: ImportError) -> MissingPackage:
    """The error of a worker class whose package is not there; its module raises it on import.

    Args:
        worker: its short name.
        package: what `pip install` takes.
        exc: what importing the package raised.
    """
    # Brackets mean something to a shell.
    quoted = f"'{package}'" if "[" in package else package
    return MissingPackage(
        f"worker_class {worker!r} needs the package {package}, which can not be imported here "
        f"({exc}). Install it with `pip install {quoted}`, in the same environment."
    )
