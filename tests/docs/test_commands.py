"""Every command on a page of the documentation is run by a test, or stands here with the reason.

A command is a line of a fenced block `sh` or `console`, or stands between ticks and is for a
checkout. Pages in `STORIES` are followed here as they stand; what `harness/story.py` says of such
a page is the rule for writing one. Commands that build or measure are run as far as
`harness/brief.py` goes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.test_links import PAGES
from harness.brief import Wrong, perform
from harness.console import install
from harness.server import TESTS, Command, clean_environment
from harness.story import Story, blocks, commands, follows

ROOT = TESTS.parent

STORIES = [
    "README.md",
    "docs/quick-start.md",
    "docs/workers.md",
    "docs/signals.md",
    "docs/hooks.md",
    "docs/doctor.md",
    "docs/coming-from/gunicorn.md",
    "docs/coming-from/granian.md",
    "docs/coming-from/mod_wsgi.md",
    "docs/coming-from/uwsgi.md",
]

# Files that the reader of a page has.
APP = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
GIVEN = {
    "docs/doctor.md": {
        "mysite/wsgi.py": APP,
        # Below what is shown: nothing to say of root.
        "gunicorn.conf.py": "\n\n\nmax_request = 1000\n\n\n\n\nkeepalive = 5\n"
        + ("user = group = 65534\n" if os.geteuid() == 0 else ""),
    },
    "docs/coming-from/uwsgi.md": {
        "shop.py": APP,
        "shop.ini": "[uwsgi]\nmodule = shop\nhttp = 127.0.0.1:8000\nprocesses = 2\n",
    },
}

# Commands of these pages that are not followed.
LEFT_OUT = {
    "pip install .": "the suite runs in an environment where it has been done",
    "gunicorn  -w 4 myproject.wsgi:application": "by test_the_names_of_both_servers",
    "rgunicorn -w 4 myproject.wsgi:application": "the same",
    "rgunicorn -k eventlet --dirty-workers 1 hello": "by test_what_the_readme_shows_refused",
}

# Pages whose commands a test reads from the page and runs, with files, ports and pids of its own.
READ_BY = {
    "docs/index.md": "docs/test_commands.py",
    "docs/observability/logs.md": "logging/test_logs_page.py",
    "docs/observability/status.md": "status/test_status_page.py",
    "docs/observability/top.md": "top/test_top_page.py",
}

# Pages for those who build, test and measure: run in brief.
BRIEF = [
    "CONTRIBUTING.md",
    "benches/README.md",
    "docs/design/free-threading.md",
    "docs/design/scoreboard.md",
    "docs/soak.md",
    "tests/README.md",
    "tests/fuzz/README.md",
]

# Commands of these that are not run, not even in brief.
NOT_RUN = {
    "cargo install cargo-fuzz": "it takes minutes, and the registry",
    "export RUSTFLAGS=": "what run.sh does, by hand, on another toolchain",
    "cargo build --release --target x86_64-unknown-linux-gnu": "the same",
    "target/x86_64-unknown-linux-gnu/release/uwsgi": "the same",
    "printf ": "a script of one line, for the wheel that the page builds",
    "/tmp/counters/one/bin/pip install": "that wheel",
}

PROGRAMS = (
    "rgunicorn gunicorn curl kill docker kubectl systemctl make pip python python3 cargo heroku"
)
COMMAND = re.compile(rf"\$ |(?:{PROGRAMS.replace(' ', '|')}) [^(=]|\.venv/|RGUNICORN\w*=")
# Between ticks, outside of blocks.
INLINE = re.compile(
    r"(?<!`)`((?:[A-Z_]+=\S+ )*"
    r"(?:make [a-z]|cargo (?:bench|test)\b|(?:run|duel)\.py(?! --(?:ab|page)`)|tests/fuzz/r)"
    r"[^`\n]*)`"
)


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
    story = Story(tmp_path, command, LEFT_OUT)
    for name, content in GIVEN.get(page, {}).items():
        story.write(name, content)
    story.run(text)


def test_every_page_with_commands_has_its_place() -> None:
    found = {page for page in PAGES if told(page)}
    assert found == {*STORIES, *READ_BY, *BRIEF}


def test_a_block_with_commands_says_so() -> None:
    """Else nobody would see those that begin with another word than `PROGRAMS` has."""
    usage, missing = [], []
    for page in PAGES:
        for block in blocks((ROOT / page).read_text()):
            if block.title is None and block.language not in ("sh", "console"):
                lines = [line for line in block.text.splitlines() if COMMAND.match(line)]
                usage += [line for line in lines if " [" in line]
                missing += [f"{page}: {line}" for line in lines if " [" not in line]
    assert missing == [] and len(usage) == 2


@pytest.mark.ours("pages about rgunicorn")
def test_a_usage_line_is_what_help_says(command: Command, tmp_path: Path) -> None:
    for page, name in (("doctor.md", "doctor"), ("coming-from/uwsgi.md", "import-uwsgi")):
        text = (ROOT / "docs" / page).read_text()
        (line,) = re.findall(rf"^rgunicorn {name} \[.*$", text, re.MULTILINE)
        known = terminal(f"rgunicorn {name} --help", command, tmp_path)
        assert known.returncode == 0
        for flag in re.findall(r"\[(-[a-z-]+)", line):
            assert re.search(rf"(?<!\S){flag}\b", known.stdout), flag


def terminal(line: str, command: Command, directory: Path) -> subprocess.CompletedProcess[str]:
    """A command line where the server is installed."""
    return subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=directory,
        env=clean_environment(install(directory, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_names_of_both_servers(
    page: str, command: Command, gunicorn: Command, tmp_path: Path
) -> None:
    (tmp_path / "myproject").mkdir()
    (tmp_path / "myproject/wsgi.py").write_text(APP)
    lines = [line for line in told(page) if line.endswith(" myproject.wsgi:application")]
    assert [line.split()[0] for line in lines] == ["gunicorn", "rgunicorn"]
    for line, server in zip(lines, (gunicorn, command), strict=True):
        if server.name == line.split()[0]:
            done = terminal(f"{line} --check-config", server, tmp_path)
            assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.ours("it shows what rgunicorn refuses")
def test_what_the_readme_shows_refused(command: Command, tmp_path: Path) -> None:
    (block,) = (it for it in blocks((ROOT / "README.md").read_text()) if "-k eventlet" in it.text)
    line, _, shown = block.text.partition("\n")
    done = terminal(line.removeprefix("$ "), command, tmp_path)
    assert done.returncode == 1
    assert follows(done.stderr, shown.strip().split("\n")), done.stderr


def in_brief(page: str) -> list[str]:
    """The commands of a page, blocks and text; what a line calls `name` stands in the others."""
    lines, names = [], {}
    for line in told(page):
        assigned = re.fullmatch(r'(\w+)="(.*)"', line)
        if assigned:
            names[assigned[1]] = assigned[2]
        else:
            lines.append(re.sub(r"\$(\w+)", lambda m: names[m[1]], line) if names else line)
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    return [*lines, *INLINE.findall(text)]


@pytest.mark.ours("it starts no server")
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed")
@pytest.mark.parametrize("page", [page for page in PAGES if in_brief(page) and page not in STORIES])
def test_commands_for_a_checkout(page: str, tmp_path: Path) -> None:
    skipped = tuple(NOT_RUN)
    for line in in_brief(page):
        for part in line.split(" && "):
            if page in READ_BY and part in told(page) or part.startswith(skipped):
                continue
            perform(part, tmp_path)


def test_what_is_not_run_is_on_a_page() -> None:
    parts = [part for page in BRIEF for line in told(page) for part in line.split(" && ")]
    assert [start for start in NOT_RUN if not any(it.startswith(start) for it in parts)] == []


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        "make soak NOTHING=1",
        "make soak ARGS='--nothing'",
        "run.py --suite nothing",
        "cargo bench --bench nothing",
        "tests/fuzz/run.sh 60 nothing",
        ".venv/bin/pytest tests/nothing",
        ".venv/bin/maturin develop --nothing",
        "nothing",
    ],
)
def test_a_wrong_command_is_noticed(line: str, tmp_path: Path) -> None:
    with pytest.raises(Wrong):
        perform(line, tmp_path)


@pytest.mark.parametrize("page", READ_BY)
def test_the_suite_that_runs_a_page_reads_it(page: str) -> None:
    assert page.removeprefix("docs/") in (TESTS / READ_BY[page]).read_text()


def test_a_page_that_is_followed_leaves_nothing_out_in_silence() -> None:
    shown = {line for page in STORIES for line in told(page) if " [" not in line}
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
