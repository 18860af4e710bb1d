"""Every hook of the servers' life, in one life: requests, HUP, an upgrade, a stuck worker."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from harness.server import TESTS
from harness.wait import until
from harness.wire import get
from parity.settings.case import Case, Scene
from parity.settings.stage import Stage

HOOKS = (TESTS / "parity/hooks.conf.py").read_text()


def lines(stage: Stage) -> list[str]:
    path = stage.directory / "hooks.log"
    return path.read_text().splitlines() if path.exists() else []


def hook_lines(stage: Stage, hook: str) -> list[str]:
    return sorted(stage.plain(line) for line in lines(stage) if line.split("|")[1] == hook)


@dataclass(frozen=True)
class Said:
    """Facts that a hook wrote down, each process's with its role."""

    hook: str

    def __call__(self, stage: Stage) -> object:
        return hook_lines(stage, self.hook)


def wait_hook(stage: Stage, hook: str, count: int) -> None:
    if stage.given:
        until(
            lambda: len(hook_lines(stage, hook)) >= count,
            f"{count} × {hook}: {lines(stage)}",
            show=stage.server.log,
        )


def workers_changed(stage: Stage, before: list[int]) -> None:
    until(
        lambda: len(now := stage.server.workers()) == 1 and now != before,
        "one new worker",
        show=stage.server.log,
    )


def life(stage: Stage) -> None:
    """What calls each hook at least once. Without hooks, the same life."""
    server = stage.server
    wait_hook(stage, "post_worker_init", 1)
    stage.ask(get("/hello"))
    # A worker that is told to leave at once, and one that is stuck.
    before = server.workers()
    os.kill(before[0], signal.SIGINT)
    workers_changed(stage, before)
    wait_hook(stage, "post_worker_init", 2)
    before = server.workers()
    os.kill(before[0], signal.SIGABRT)
    workers_changed(stage, before)
    wait_hook(stage, "post_worker_init", 3)
    before = server.workers()
    server.send_signal(signal.SIGHUP)
    workers_changed(stage, before)
    wait_hook(stage, "post_worker_init", 4)
    wait_hook(stage, "child_exit", 3)
    server.assert_clean_exit()


def upgrade(stage: Stage) -> None:
    """USR2, and TERM to the new master before the old one."""
    server = stage.server
    wait_hook(stage, "post_worker_init", 1)
    pidfile = stage.directory / "server.pid.2"
    server.send_signal(signal.SIGUSR2)
    until(lambda: pidfile.exists() and pidfile.read_text().strip(), "a new master", show=server.log)
    new = int(pidfile.read_text())
    server.wait_log("Booting worker", 2)
    os.kill(new, signal.SIGTERM)
    until(lambda: not pidfile.exists(), "the new master to leave", show=server.log)


WHEN = {
    "on_starting": "called once, with the server",
    "when_ready": "called once, with the server and its listeners",
    "on_reload": "HUP, with the server",
    "pre_fork": "in the master, for each worker",
    "post_fork": "in each worker",
    "post_worker_init": "in each worker, after the import",
    "worker_int": "INT to a worker",
    "worker_abort": "ABRT to a worker",
    "pre_request": "request and worker",
    "post_request": "request, environ and response",
    "child_exit": "in the master, for each worker that left",
    "worker_exit": "in each worker that leaves",
    "nworkers_changed": "old and new number",
    "on_exit": "called once",
}

# Gunicorn loses a TERM that comes before a new worker has its handlers, and waits that long then.
SHORT = {"graceful_timeout": 2}

SCENES = (
    Scene(
        "hooks",
        tuple(Case(hook, f"{when}: what it is given", Said(hook)) for hook, when in WHEN.items()),
        base=SHORT,
        set_config=HOOKS,
        acts=life,
    ),
    Scene(
        "upgrade",
        (Case("pre_exec", "USR2: what it is given", Said("pre_exec")),),
        base=lambda stage: {"pidfile": str(stage.directory / "server.pid"), **SHORT},
        set_config=HOOKS,
        acts=upgrade,
    ),
)
