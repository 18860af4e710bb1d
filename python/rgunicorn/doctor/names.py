"""Names of a config file that are no settings, but were meant to be.

A config file may have helpers of its own: imports, constants, functions. What somebody meant as a
setting is never read in the file, and looks like one.
"""

from __future__ import annotations

import difflib
import types

from rgunicorn.doctor.finding import WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject

#: Settings of older Gunicorns, and names from other places, with what to write today.
FORMER: dict[str, str] = {
    "debug": "reload = True",
    "preload": "preload_app = True",
    "django_settings": 'raw_env = ["DJANGO_SETTINGS_MODULE=mysite.settings"]',
    "env": 'raw_env = ["NAME=value"]',
    "x_forwarded_for_header": "forwarded_allow_ips, for whom X-Forwarded-Proto is believed",
    "access_log": 'accesslog = "-"',
    "error_log": 'errorlog = "-"',
    "logfile": 'errorlog = "-"',
    "host": 'bind = "127.0.0.1:8000"',
    "port": 'bind = "127.0.0.1:8000"',
    "processes": "workers = 2",
    "num_workers": "workers = 2",
    "worker": "workers = 2",
    "application": 'wsgi_app = "module:application"',
    "ssl_cert": 'certfile = "cert.pem"',
    "ssl_key": 'keyfile = "key.pem"',
    "post_init": "post_worker_init",
}

#: How alike a name and a setting must be. `max_request` and `max_requests` are 0.96; `my_timeout`
#: and `timeout`, which may well be somebody's helper, 0.82.
ALIKE = 0.86


def unknown_names(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields names that were probably meant as settings."""
    settings = subject.cfg.settings
    source = subject.source
    if source is None:
        return
    flags = {
        flag.lstrip("-").replace("-", "_"): setting.name
        for setting in settings.values()
        for flag in setting.cli or ()
        if flag.startswith("--")
    }
    for name, value in subject.names.items():
        if name in settings or not _candidate(name, value, subject):
            continue
        meant = _meant(name, value, subject, flags)
        if meant is None:
            continue
        number = source.bound.get(name)
        yield Finding(
            WARNING,
            "unknown-name",
            f"{name} is no setting: the server ignores it, as Gunicorn does",
            _instead(name, meant, source.line(number) if number else ""),
            name,
            getattr(value, "__qualname__", None) or repr(value),
            f"{source.path}:{number}" if number else source.path,
            source.line(number) if number else None,
        )


def _candidate(name: str, value: object, subject: Subject) -> bool:
    source = subject.source
    assert source is not None
    if name.startswith("_") or isinstance(value, (types.ModuleType, type)):
        return False
    return name not in source.imported and name not in source.read


def _meant(name: str, value: object, subject: Subject, flags: dict[str, str]) -> str | None:
    """What to write instead: a setting's name, or a whole line of `FORMER`."""
    settings = subject.cfg.settings
    lower = name.lower()
    if lower in settings and lower != name:
        # `WORKERS` beside `workers` is a constant.
        return None if lower in subject.names else lower
    if name in flags and flags[name] not in subject.names:
        return flags[name]
    if lower in FORMER and FORMER[lower].partition(" ")[0] not in subject.names:
        return FORMER[lower]
    # A function was meant as a hook, and nothing else was.
    like = [
        known.name
        for known in settings.values()
        if callable(known.default) == callable(value) and known.name not in subject.names
    ]
    found = difflib.get_close_matches(lower, like, 1, ALIKE)
    return found[0] if found else None


def _instead(name: str, meant: str, line: str) -> str:
    if not meant.isidentifier():
        return meant
    return line.replace(name, meant, 1) if name in line else f"{meant} = …"
