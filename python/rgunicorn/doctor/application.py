"""The application: whether it can be imported, and what is known for sure about it then."""

from __future__ import annotations

from rgunicorn.doctor.finding import ERROR, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject


def imported(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields why the application can not be imported."""
    if subject.app_error is None:
        return
    lines = subject.app_error.strip().splitlines()
    yield Finding(
        ERROR,
        "application",
        lines[-1].removeprefix("rgunicorn.errors.").removeprefix("gunicorn.errors."),
        "name it as module:object, and start it where the module can be imported (chdir, "
        "pythonpath)",
        "wsgi_app",
        repr(subject.app),
        details=subject.app_error,
    )


def django(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: Django's debug mode."""
    module = subject.modules.get("django.conf")
    settings = getattr(module, "settings", None)
    if settings is None or not getattr(settings, "configured", False):
        return
    if getattr(settings, "DEBUG", False) is True:
        yield Finding(
            WARNING,
            "django-debug",
            "Django's DEBUG is on: error pages show source and settings to everybody, and every "
            "query is kept in memory",
            f"DEBUG = False in {getattr(settings, 'SETTINGS_MODULE', 'your settings')}",
        )


def threads(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields: threads that live in the master when it forks."""
    if subject.cfg.preload_app and subject.threads:
        yield subject.finding(
            WARNING,
            "preload-threads",
            "preload_app",
            f"importing the application starts {', '.join(subject.threads)}: threads do not live "
            f"on in the workers, and a lock that one holds stays locked there",
            f"{subject.drop('preload_app')}, or start the threads in post_fork",
        )
