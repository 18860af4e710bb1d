"""Every command on a page of the documentation is run by a test, or stands here with the reason.

A command is a line of a fenced block. Pages in `STORIES` are followed here as they stand; what
`harness/story.py` says of such a page is the rule for writing one.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from docs.test_links import PAGES
from harness.server import TESTS, Command
from harness.story import Story, blocks, commands, follows
from rgunicorn.config import Config

ROOT = TESTS.parent

STORIES = [
    "README.md",
    "docs/quick-start.md",
    "docs/workers.md",
    "docs/signals.md",
    "docs/hooks.md",
    "docs/coming-from/gunicorn.md",
    "docs/coming-from/granian.md",
    "docs/coming-from/mod_wsgi.md",
]

# Commands of these pages that are not run.
LEFT_OUT = {
    "pip install .": "the suite runs in an environment where it has been done",
    "gunicorn  -w 4 myproject.wsgi:application": "the names of both servers, side by side",
    "rgunicorn -w 4 myproject.wsgi:application": "the same",
    "rgunicorn -k eventlet --dirty-workers 1 hello": "it fails: config/test_refusals.py",
}

# Pages whose commands a suite of their own runs, with other files and ports than the page has.
BY_OTHERS = {
    "docs/coming-from/uwsgi.md": "uwsgi_import/test_command.py",
    "docs/doctor.md": "doctor/test_command.py",
    "docs/observability/logs.md": "logging/test_logs_page.py",
    "docs/observability/status.md": "status/test_pages.py",
    "docs/observability/top.md": "top/test_stats.py",
    "docs/soak.md": "chaos/test_soak.py",
}

# Pages whose commands no test runs, and why.
NOT_RUN = {
    "CONTRIBUTING.md": "it sets up a checkout, which takes minutes; CI runs `make test`",
    "benches/README.md": "a benchmark takes an hour",
    "docs/design/free-threading.md": "another CPython has to be built first",
    "docs/design/scoreboard.md": "a second build and a benchmark",
    "docs/index.md": "one line that shows the names of both servers",
    "tests/README.md": "pytest itself",
}

PROGRAMS = (
    "rgunicorn gunicorn curl kill docker kubectl systemctl make pip python python3 cargo heroku"
)
COMMAND = re.compile(rf"\$ |(?:{PROGRAMS.replace(' ', '|')}) [^(=]|\.venv/|RGUNICORN\w*=")


def told(page: str) -> list[str]:
    """Every line of the page's fenced blocks that is a command, or looks like one."""
    found = []
    for block in blocks((ROOT / page).read_text()):
        found += [line for line, _ in block.commands]
        if block.title is None and not block.commands:
            lines = [line for line in block.text.splitlines() if COMMAND.match(line)]
            found += [line.removeprefix("$ ") for line in lines]
    return found


@pytest.mark.ours("pages about rgunicorn")
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", STORIES)
def test_a_page_can_be_followed(page: str, command: Command, tmp_path: Path) -> None:
    text = (ROOT / page).read_text()
    assert commands(text)
    Story(tmp_path, command, LEFT_OUT).run(text)


def test_every_page_with_commands_has_its_place() -> None:
    found = {page for page in PAGES if told(page)}
    assert found == {*STORIES, *BY_OTHERS, *NOT_RUN}


@pytest.mark.parametrize("page", BY_OTHERS)
def test_the_suite_that_runs_a_page_knows_its_flags(page: str) -> None:
    suite = (TESTS / BY_OTHERS[page]).read_text()
    suite += "".join(path.read_text() for path in (TESTS / BY_OTHERS[page]).parent.glob("*.py"))
    settings = {
        flag: name for name, setting in Config().settings.items() for flag in setting.cli or ()
    }
    flags = {flag for line in told(page) for flag in re.findall(r"(?<!\S)\[?(--[a-z-]+)", line)}
    missing = [
        flag for flag in flags if flag not in suite and settings.get(flag, flag) not in suite
    ]
    assert missing == []


def test_a_page_that_is_followed_leaves_nothing_out_in_silence() -> None:
    shown = {line for page in STORIES for line in told(page)}
    run = {line for page in STORIES for line in commands((ROOT / page).read_text())}
    assert shown - run <= set(LEFT_OUT)
    assert set(LEFT_OUT) <= shown


def test_a_wrong_page_is_noticed(command: Command, tmp_path: Path) -> None:
    """Output in another order, output that does not come, a command that fails."""
    assert follows("[1] one\nnoise\n[22] two", ["[7] one", "[8] two"])
    assert not follows("[1] one\n[2] two", ["[8] two", "[7] one"])
    for page in ("```console\n$ echo one\ntwo\n```\n", "```sh\nfalse\n```\n"):
        with pytest.raises(AssertionError):
            Story(tmp_path, command).run(page)
