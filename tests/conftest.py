"""Fixtures every suite shares: the server under test, and its log when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server import LIVE, Command, Spawn, parity_gunicorn, spawner, under_test

MARKERS = {
    "gunicorn_bug(why)": "states what is right where Gunicorn 27.0.1 is wrong; not run on Gunicorn",
    "ours(why)": "needs a setting or a promise Gunicorn does not have; not run on Gunicorn",
}
LOG_TAIL = 6_000


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_report_header() -> list[str]:
    gunicorn = parity_gunicorn()
    beside = " ".join(gunicorn.argv) if gunicorn else "RGUNICORN_PARITY_PYTHON is not set"
    return [f"server under test: {' '.join(under_test().argv)}", f"parity Gunicorn: {beside}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not under_test().is_gunicorn:
        return
    for item in items:
        for name in ("gunicorn_bug", "ours"):
            if mark := item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"{name}: {mark.args[0]}"))


LOG_SEEN: dict[int, int] = {}
"""How much of each live server's log belongs to the tests before this one, by master pid."""


def pytest_runtest_setup() -> None:
    LOG_SEEN.clear()
    LOG_SEEN.update({server.pid: len(server.log()) for server in LIVE})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    report = yield
    if report.failed:
        for server in LIVE:
            news = server.log()[LOG_SEEN.get(server.pid, 0) :]
            if not news:
                continue
            title = f"log of {' '.join(server.command.argv)} {server.app} in {server.directory}"
            report.sections.append((title, news[-LOG_TAIL:]))
    return report


@pytest.fixture(scope="session")
def command() -> Command:
    """The server under test."""
    return under_test()


@pytest.fixture
def spawn(tmp_path: Path, command: Command) -> Iterator[Spawn]:
    """Starts servers that end with the test."""
    with spawner(tmp_path, command) as started:
        yield started


@pytest.fixture(scope="module")
def module_spawn(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Spawn]:
    """Starts servers that all tests of a module share."""
    with spawner(tmp_path_factory.mktemp("server"), command) as started:
        yield started


@pytest.fixture(scope="session")
def gunicorn() -> Command:
    """Real Gunicorn 27.0.1 of the parity suite."""
    found = parity_gunicorn()
    if found is None:
        pytest.skip("RGUNICORN_PARITY_PYTHON is not set: `make test` installs Gunicorn and sets it")
    return found
