"""Every setting of Gunicorn, on real Gunicorn 27.0.1 and on rgunicorn, with the same configuration.

The cases are data: see `case.py`, and the modules of `scenes.py`. The table "Settings" of
docs/compatibility.md is made of them by `python -m parity.settings.page`; `make parity` does both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.compare import same
from harness.server import Command, thirdparty
from parity.settings import page
from parity.settings.case import Case, Scene
from parity.settings.runner import Failed, Runner, Servers
from parity.settings.scenes import BEHAVIOUR, CASES, NAMES, REASONS, SCENES
from parity.settings.stage import Ended

WHERE = [pytest.param(scene, case, id=case.name) for scene, case in CASES]


@pytest.fixture(scope="module")
def runner(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    gunicorn: Command,
    command: Command,
) -> Iterator[Runner]:
    """With every scene of the selected tests under way."""
    runner = Runner(tmp_path_factory.mktemp("settings"))
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        scene = callspec.params.get("scene") if callspec else None
        if isinstance(scene, Scene) and possible(scene) is None:
            runner.submit(scene, servers_of(scene, gunicorn, command))
    yield runner
    runner.close()


def possible(scene: Scene) -> str | None:
    """Why a scene can not be performed here."""
    if scene.root and os.geteuid() != 0:
        return "only root may change users"
    if scene.packages and thirdparty("gunicorn") is None:
        return "RGUNICORN_THIRDPARTY_PYTHON is not set: `make parity` makes that environment"
    return None


def servers_of(scene: Scene, gunicorn: Command, command: Command) -> Servers:
    if not scene.packages:
        return Servers(gunicorn, command)
    theirs, ours = thirdparty("gunicorn"), thirdparty("rgunicorn")
    assert theirs and ours
    return Servers(theirs, ours)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("scene", "case"), WHERE)
def test_setting(runner: Runner, scene: Scene, case: Case) -> None:
    reason = possible(scene)
    if reason is not None:
        pytest.skip(reason)
    found = runner.outcome(scene, case)
    for who in ("theirs", "ours", "without"):
        seen = getattr(found, who)
        assert not isinstance(seen, Failed), f"{who}: {seen.trace}"
    if case.vacuous:
        same(found.theirs, found.without, f"not vacuous any more ({case.vacuous})")
    else:
        assert found.theirs != found.without, f"the setting changes nothing: {found.theirs!r}"
    if scene.pending:
        assert isinstance(found.ours, Ended)
        said = "\n".join(found.ours.stderr)
        assert found.ours.code == 1 and "does not have yet" in said, (
            f"{scene.pending} is not refused any more: remove `pending` from the scene "
            f"{scene.name!r}\n{found.ours}"
        )
    elif case.difference:
        assert found.ours != found.theirs, f"no difference {case.difference} any more"
        same(found.ours, case.ours, case.difference)
    else:
        same(found.ours, found.theirs, "rgunicorn (actual) and Gunicorn (expected)")


def test_no_setting_is_missing() -> None:
    cased = {case.setting for scene in BEHAVIOUR for case in scene.cases}
    reasoned = {reason.setting for reason in REASONS}
    assert cased | reasoned == set(NAMES)
    assert not cased & reasoned, "a reason why there is no case, and a case"


def test_names_are_unique() -> None:
    names = [case.name for _, case in CASES]
    assert len(names) == len(set(names))
    scenes = [scene.name for scene in SCENES]
    assert len(scenes) == len(set(scenes))


def test_the_page_says_what_the_cases_say() -> None:
    committed = page.PAGE.read_text()
    assert page.with_table(committed) == committed, "run `make parity`"


def test_differences_have_rows() -> None:
    rows = page.PAGE.read_text()
    for _, case in CASES:
        assert not case.difference or f"| `{case.difference}` |" in rows, case.name
