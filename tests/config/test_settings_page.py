"""docs/settings.md is what the declarations say, on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rgunicorn.config import KNOWN_SETTINGS
from rgunicorn.settings import page

COMMITTED = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize(
    "env",
    [{}, {"PORT": "1", "WEB_CONCURRENCY": "99", "FORWARDED_ALLOW_IPS": "*", "HOME": "/nowhere"}],
    ids=["plain", "environment"],
)
def test_the_committed_page_is_current(tmp_path: Path, env: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "rgunicorn.settings.page", "page.md"],
        cwd=tmp_path,
        env=os.environ | env,
        check=True,
    )
    assert (tmp_path / "page.md").read_text() == COMMITTED.read_text(), (
        "run: python -m rgunicorn.settings.page docs/settings.md"
    )


def test_without_a_path_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main([]) == 0
    assert capsys.readouterr().out == page.render()


def test_every_setting_is_on_it() -> None:
    text = page.render()
    for setting in KNOWN_SETTINGS:
        entry = text.partition(f"\n### {setting.name}\n")[2].partition("\n### ")[0]
        assert setting.short in entry
        assert ("Not built yet" in entry) == (setting.unbuilt is not None)
        assert all(f"`{flag}" in entry for flag in setting.cli or [])
