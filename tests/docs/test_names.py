"""Pages written by hand name only settings, flags, hooks and signals that are there."""

from __future__ import annotations

import re
import signal

import pytest

from harness.server import TESTS
from rgunicorn.config import Config

DOCS = TESTS.parent / "docs"
CFG = Config()
SETTINGS = CFG.settings
FLAGS = {flag for setting in SETTINGS.values() for flag in setting.cli or ()} | {"--help"}
HOOKS = {name for name, setting in SETTINGS.items() if setting.section == "Server Hooks"}

PAGES = ["hooks.md", "messages.md", "quick-start.md", "signals.md", "workers.md"]
COMING_FROM = ["coming-from/gunicorn.md", "coming-from/granian.md", "coming-from/mod_wsgi.md"]

# Words with underscores that are no setting of ours.
OTHER_WORDS = {
    "exc_info",
    "handle_request",
    "init_process",
    "load_wsgi",
    "old_value",
    "start_response",
}
# Flags of our commands.
OTHER_FLAGS = {"--version"}


def ticked(page: str) -> list[str]:
    """What stands between ticks outside of fenced blocks."""
    text = re.sub(r"^```.*?^```$", "", (DOCS / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", [*PAGES, "coming-from/gunicorn.md"])
def test_settings_are_there(page: str) -> None:
    words = {code for code in ticked(page) if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", code)}
    assert words
    assert sorted(words - set(SETTINGS) - OTHER_WORDS) == []


@pytest.mark.parametrize("page", COMING_FROM)
def test_what_options_become_is_there(page: str) -> None:
    """The second column of tables with an option of the other server in the first."""
    found = 0
    for row in (DOCS / page).read_text().splitlines():
        cells = row.strip("|").split("|")
        if not row.startswith("| `") or len(cells) < 2:
            continue
        for code in re.findall(r"`([^`]+)`", cells[1]):
            for flag in re.findall(r"(?<!\S)--[a-z_-]+", code):
                assert flag in FLAGS, row
                found += 1
            name = code.partition(" = ")[0]
            if re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
                assert name in SETTINGS, row
                found += 1
    assert found > (0 if page.endswith("gunicorn.md") else 25)


@pytest.mark.parametrize("page", PAGES)
def test_flags_are_there(page: str) -> None:
    text = (DOCS / page).read_text()
    used = {
        flag
        for line in re.findall(r"rgunicorn [^\n`]*", text)
        for flag in re.findall(r"(?<!\S)--[a-z-]+", line)
    }
    assert sorted(used - FLAGS - OTHER_FLAGS) == []


def test_every_hook_is_on_its_page_with_its_arguments() -> None:
    rows = re.findall(r"^\| `(\w+)\(([^)]*)\)`", (DOCS / "hooks.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(HOOKS)
    for name, arguments in rows:
        code = SETTINGS[name].default.__code__
        expected = list(code.co_varnames[: code.co_argcount])
        assert arguments.split(", ") == expected, name


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_are_where_a_newcomer_looks(page: str) -> None:
    """What stands between ticks and begins like a path of the repository."""
    text = re.sub(r"^```.*?^```$", "", (DOCS.parent / page).read_text(), flags=re.DOTALL | re.M)
    paths = re.findall(r"`((?:src|python|tests|docs|benches|deploy)/[\w./-]*)`", text)
    assert len(paths) > 10
    assert [path for path in paths if not (DOCS.parent / path).exists()] == []


def test_names_that_a_newcomer_looks_for_are_in_their_files() -> None:
    """`NAME` in `file`, in the steps of CONTRIBUTING.md."""
    text = (DOCS.parent / "CONTRIBUTING.md").read_text()
    found = re.findall(r"`(\w+)`(?: \([^)]*\))? in `((?:src|python|tests)/[\w./]+)`", text)
    assert len(found) >= 7
    missing = [it for it in found if not re.search(rf"\b{it[0]}\b", read(it[1]))]
    assert missing == []


def read(path: str) -> str:
    return (DOCS.parent / path).read_text()


def test_every_signal_is_on_its_page() -> None:
    text = (DOCS / "signals.md").read_text().partition("## To the master")[2]
    master, _, worker = text.partition("## To a worker")
    rows = re.findall(r"^\| ([A-Z0-9, ]+) \|", master, re.MULTILINE)
    named = {name for row in rows for name in row.split(", ")}
    # As the master has them: `src/sys/signals.rs`.
    source = (TESTS.parent / "src/sys/signals.rs").read_text()
    handled = source.partition("pub const HANDLED")[2].partition("];")[0]
    assert named == set(re.findall(r"Signal::SIG(\w+)", handled))
    for row in re.findall(r"^\| ([A-Z0-9, ]+) \|", worker, re.MULTILINE):
        assert all(hasattr(signal, f"SIG{name}") for name in row.split(", "))
