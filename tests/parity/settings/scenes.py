"""All scenes, and the settings that have none."""

from __future__ import annotations

from parity.settings import (
    datagrams,
    debugging,
    hooks,
    hup,
    logging,
    mechanics,
    others,
    parsing,
    server,
    tls,
    values,
)
from parity.settings.case import Case, Scene
from parity.settings.facts import NAMES
from parity.settings.others import REASONS

BEHAVIOUR: tuple[Scene, ...] = tuple(
    scene
    for module in (
        server,
        parsing,
        mechanics,
        debugging,
        logging,
        datagrams,
        hooks,
        hup,
        tls,
        others,
    )
    for scene in module.SCENES
)
SCENES: tuple[Scene, ...] = (*BEHAVIOUR, *values.SCENES)
CASES: list[tuple[Scene, Case]] = [(scene, case) for scene in SCENES for case in scene.cases]

__all__ = ["BEHAVIOUR", "CASES", "NAMES", "REASONS", "SCENES"]
