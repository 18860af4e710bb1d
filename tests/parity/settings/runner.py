"""Performs scenes: three stages at a time, each case observed on all of them."""

from __future__ import annotations

import re
import subprocess
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.server import Command
from parity.settings.case import Case, Scene
from parity.settings.stage import Ended, Stage

SCENES_AT_ONCE = 3
LOG_TAIL = 3_000


@dataclass(frozen=True)
class Failed:
    """An observation that could not be made."""

    trace: str


@dataclass(frozen=True)
class Outcome:
    """What one case saw: `theirs` and `ours` with the settings, `without` on Gunicorn."""

    theirs: object
    ours: object
    without: object


@dataclass(frozen=True)
class Servers:
    """Both servers in one environment."""

    gunicorn: Command
    ours: Command


class Runner:
    """Starts a scene when it is asked for; its cases wait for it together."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pool = ThreadPoolExecutor(SCENES_AT_ONCE, "scene")
        self.performed: dict[str, Future[dict[str, Outcome]]] = {}

    def submit(self, scene: Scene, servers: Servers) -> None:
        if scene.name not in self.performed:
            self.performed[scene.name] = self.pool.submit(perform, scene, servers, self.root)

    def outcome(self, scene: Scene, case: Case) -> Outcome:
        return self.performed[scene.name].result()[case.name]

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


def perform(scene: Scene, servers: Servers, root: Path) -> dict[str, Outcome]:
    """All observations of a scene on its three stages."""
    directory = root / re.sub(r"\W+", "-", scene.name)
    stages = [
        Stage(scene, servers.gunicorn, True, directory / "gunicorn"),
        Stage(scene, servers.ours, True, directory / "rgunicorn"),
        Stage(scene, servers.gunicorn, False, directory / "without"),
    ]
    with ThreadPoolExecutor(len(stages)) as pool:
        theirs, ours, without = pool.map(observed, stages)
    return {
        case.name: Outcome(theirs[case.name], ours[case.name], without[case.name])
        for case in scene.cases
    }


def observed(stage: Stage) -> dict[str, object]:
    scene = stage.scene
    if scene.pending and not stage.command.is_gunicorn:
        try:
            refused = stage.run(seconds=20)
        except subprocess.TimeoutExpired:
            refused = Ended(0, [], ["it serves"])
        return dict.fromkeys((case.name for case in scene.cases), refused)
    found: dict[str, object] = {}
    try:
        stage.start()
        for case in scene.cases:
            try:
                found[case.name] = case.observe(stage)
            except Exception:
                found[case.name] = failed(stage)
    except Exception:
        found = dict.fromkeys((case.name for case in scene.cases), failed(stage))
    finally:
        stage.end()
    return found


def failed(stage: Stage) -> Failed:
    return Failed(f"{traceback.format_exc()}\n{stage.server.log()[-LOG_TAIL:]}")
