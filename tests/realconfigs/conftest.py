"""`both(name, story)`: one project on Gunicorn and on rgunicorn, and the same things done to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.compare import same
from harness.server import Command
from realconfigs.deployment import Deployment, Record, deployed

Story = Callable[[Deployment], Record]
Both = Callable[..., Record]


@pytest.fixture
def both(tmp_path: Path, gunicorn: Command, command: Command) -> Both:
    """Runs `story` on both servers; what it returns must be equal.

    With `one_by_one` the second is started when the first has gone, for what they would share.
    `fields` are Deployment's.
    """

    def run(name: str, story: Story, one_by_one: bool = False, **fields: object) -> Record:
        groups = [(gunicorn,), (command,)] if one_by_one else [(gunicorn, command)]
        told = []
        for group in groups:
            with deployed(name, tmp_path, group, **fields) as started:
                told += [story(deployment) for deployment in started]
        expected, actual = told
        for key in expected:
            same(actual[key], expected[key], f"{name}, {key}: rgunicorn (actual), Gunicorn")
        assert actual.keys() == expected.keys()
        return actual

    return run
