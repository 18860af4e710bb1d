"""Configurations as the doctor sees them, made without a process of their own."""

from __future__ import annotations

import shlex
from types import SimpleNamespace
from typing import Any

from harness.certificates import certificates
from rgunicorn.config import Config
from rgunicorn.doctor.examination import examine
from rgunicorn.doctor.finding import Finding
from rgunicorn.doctor.machine import Machine
from rgunicorn.doctor.source import Source
from rgunicorn.doctor.subject import Subject


class Healthy(Machine):
    """A machine on which nothing is wrong: no root, some CPUs, a memory file system."""

    euid = 1000
    cpus = 4.0
    memory = 8 << 30
    in_container = False
    has_setproctitle = True
    disks: tuple[str, ...] = ()
    locked: tuple[str, ...] = ()

    def __init__(self, **facts: Any) -> None:
        vars(self).update(facts)

    def file_system(self, path: str) -> str | None:
        return "ext4" if path.startswith(self.disks) and self.disks else "tmpfs"

    def writable(self, path: str) -> bool:
        return path not in self.locked


def subject(config: str = "", args: str = "", **fields: Any) -> Subject:
    """What the command makes of a config file and a command line."""
    names: dict[str, Any] = {}
    files = certificates()
    facts = {"CERT": files.cert("server"), "KEY": files.key("server"), "CA": files.ca}
    exec(compile(config, "gunicorn.conf.py", "exec"), facts, names)
    cfg = Config(prog="rgunicorn")
    flags = {
        name: value
        for name, value in vars(cfg.parser().parse_args(shlex.split(args))).items()
        if name != "args" and value is not None
    }
    for name, value in {**names, **flags}.items():
        if name in cfg.settings:
            cfg.set(name, value)
    return Subject(cfg, flags, {}, names, Source("gunicorn.conf.py", config), **fields)


def found(
    config: str = "", args: str = "", machine: Machine | None = None, **fields: Any
) -> list[Finding]:
    """All findings."""
    return examine(subject(config, args, **fields), machine or Healthy())


def checks(*words: Any, **fields: Any) -> list[tuple[str, str | None]]:
    """Name of the check and setting of each finding."""
    return [(finding.check, finding.setting) for finding in found(*words, **fields)]


def django(**settings: Any) -> dict[str, Any]:
    """Modules of a process that has imported Django."""
    return {"django.conf": SimpleNamespace(settings=SimpleNamespace(configured=True, **settings))}
