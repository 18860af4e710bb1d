"""Settings that can not be used, that do nothing here, or that have a better name today."""

from __future__ import annotations

from rgunicorn import util
from rgunicorn.doctor.finding import ERROR, HINT, WARNING, Finding
from rgunicorn.doctor.subject import shown
from rgunicorn.doctor.words import Recorder, parts
from rgunicorn.errors import ConfigError
from rgunicorn.settings import effects
from rgunicorn.settings.own import refuse_conflicts
from rgunicorn.settings.unbuilt import refuse_unbuilt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject


def refused(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields values that end the start: what is not built, what a worker class can not do, classes
    that are not there. The words are those of the start."""
    cfg = subject.cfg
    try:
        refuse_unbuilt(cfg)
    except ConfigError as exc:
        for line in str(exc).splitlines():
            name, why, change = parts(line, subject)
            yield subject.finding(ERROR, "refused", name, why, change)
    except RuntimeError as exc:
        message, _, details = str(exc).partition("\n")
        yield subject.finding(
            ERROR,
            "refused",
            "worker_class",
            message.strip(),
            "name a class that can be imported",
            details,
        )
    try:
        refuse_conflicts(cfg)
    except ConfigError as exc:
        name, why, change = parts(str(exc), subject)
        yield subject.finding(ERROR, "conflict", name, why, change)


def worker_warns(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields what the worker class warns of at the start."""
    cfg = subject.cfg
    uri = cfg.settings["worker_class"].get()
    log = Recorder()
    try:
        worker = util.load_class("gthread" if cfg.worker_class_str == "gthread" else uri)
        check = getattr(worker, "check_config", None)
        if check is not None:
            check(cfg, log)
    except (RuntimeError, ConfigError):
        # It can not be used, which `refused` says.
        return
    for line in log.lines:
        name = parts(line, subject)[0]
        yield subject.finding(WARNING, "worker-warns", name, line, _cure(subject, name))


def _cure(subject: Subject, name: str) -> str:
    return f"another value, see docs/settings.md#{name}"


def unreadable(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields values that pass when they are set, and fail when the server uses them."""
    for name, attribute in (
        ("bind", "address"),
        ("raw_env", "env"),
        ("raw_paste_global_conf", "paste_global_conf"),
        ("logger_class", "logger_class"),
    ):
        try:
            getattr(subject.cfg, attribute)
        except (RuntimeError, ConfigError) as exc:
            message, _, details = str(exc).partition("\n")
            yield subject.finding(
                ERROR, "unusable-value", name, message.strip(), _FORMS[name], details
            )


_FORMS = {
    "bind": 'bind = "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock" or "fd://3"',
    "raw_env": 'raw_env = ["NAME=value"]',
    "raw_paste_global_conf": 'raw_paste_global_conf = ["name=value"]',
    "logger_class": 'logger_class = "package.module.Class", one that can be imported',
}


def ignored(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields settings that do nothing in this combination, by `rgunicorn.settings.effects`."""
    said = {finding.setting for finding in worker_warns(subject, machine)}
    for name in subject.cfg.settings:
        if subject.origin(name) is None or name in said:
            continue
        why = effects.without_effect(subject.cfg, name)
        if why is not None:
            yield subject.finding(
                WARNING, "ignored", name, f"it has no effect: {why}", _way_out(subject, name)
            )


def overruled(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields settings of the file that a stronger place replaces by another value."""
    source = subject.source
    for name, value in subject.names.items() if source is not None else ():
        setting = subject.cfg.settings.get(name)
        if setting is None or not (name in subject.flags or name in subject.env_flags):
            continue
        own = type(setting)()
        own.set(value)
        if source is not None and own.value != setting.value:
            yield Finding(
                HINT,
                "overruled",
                f"{subject.origin(name)} gives {shown(setting.value)}, and wins",
                "remove one of the two",
                name,
                shown(own.value),
                f"{source.path}:{source.bound.get(name, 1)}",
            )
    if subject.positional and subject.cfg.wsgi_app is not None:
        yield subject.finding(
            HINT,
            "overruled",
            "wsgi_app",
            f"the command line names {subject.app}, and wins",
            "remove one of the two",
        )


def _way_out(subject: Subject, name: str) -> str:
    setting = subject.cfg.settings[name]
    needs = setting.unbuilt.switches if setting.unbuilt else effects.NEEDS.get(name, ())
    if needs and setting.unbuilt is None:
        return f"{subject.drop(name)}, or set {needs[0]} as well"
    if name == "keepalive":
        return "sync_keepalive = True, or worker_class = 'gthread'"
    return subject.drop(name)


def deprecated(subject: Subject, machine: Machine) -> Iterator[Finding]:
    """Yields settings and values that are only kept for old configurations."""
    cfg = subject.cfg
    for name, instead in effects.DEPRECATED.items():
        if not cfg.settings[name].has_default:
            yield subject.finding(
                WARNING, "deprecated", name, "it is read and does nothing", f"use {instead}"
            )
    worker = cfg.settings["worker_class"].get()
    if worker in effects.OLD_WORKERS:
        today = effects.OLD_WORKERS[worker]
        yield subject.finding(
            WARNING,
            "deprecated",
            "worker_class",
            f"{worker} is an old name of {today}",
            subject.write("worker_class", today),
        )
