"""Fixtures every suite shares: the server under test, its modes, and its log when a test fails."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.mode import DEFAULT, MODES, Mode
from harness.server import (
    LIVE,
    Command,
    Kitchen,
    Server,
    Spawn,
    parity_gunicorn,
    spawner,
    thirdparty,
    under_test,
)
from harness.validate import assert_no_complaints

MARKERS = {
    "gunicorn_bug(why, *where)": "states what is right where Gunicorn 27.0.1 is wrong; not run on "
    "Gunicorn, or only not in the modes of `where` (`sync`, `gthread`, `tcp`, `unix`)",
    "ours(why, *where)": "needs a setting or a promise Gunicorn does not have; not run on "
    "Gunicorn, or only not in the modes of `where`",
    "only(why, *where)": "has no meaning in other modes than those of `where`",
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
    items[:] = [
        item for item in items if all(mark_fits(item, mark) for mark in item.iter_markers("only"))
    ]
    if not under_test().is_gunicorn:
        return
    for item in items:
        for name in ("gunicorn_bug", "ours"):
            for mark in item.iter_markers(name):
                if mark_fits(item, mark):
                    item.add_marker(pytest.mark.skip(reason=f"{name}: {mark.args[0]}"))


def mark_fits(item: pytest.Item, mark: pytest.Mark) -> bool:
    """Whether the mode a test runs in is among those that the mark is about."""
    callspec = getattr(item, "callspec", None)
    mode: Mode = callspec.params.get("mode", DEFAULT) if callspec else DEFAULT
    return mode.fits(mark.args[1:])


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
        for server in (server for server in LIVE if server.process is not None):
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


@pytest.fixture(scope="module", params=MODES, ids=str)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Every test that uses it, itself or through `kitchen`, runs in all modes."""
    found: Mode = request.param
    return found


@pytest.fixture(scope="module")
def module_spawn(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Iterator[Spawn]:
    """Starts servers that all tests of a module share, whatever their mode."""
    with spawner(tmp_path_factory.mktemp("server"), command) as started:
        yield started


@pytest.fixture(scope="module")
def mode_spawn(
    tmp_path_factory: pytest.TempPathFactory, command: Command, mode: Mode
) -> Iterator[Spawn]:
    """Starts servers in `mode` that all tests of a module share."""
    with spawner(tmp_path_factory.mktemp("server"), command, mode) as started:
        yield started


@pytest.fixture(scope="session")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 003 bytes no compression and no repeated block could fake: what `/file` serves."""
    path = tmp_path_factory.mktemp("files") / "big"
    path.write_bytes(random.Random(7).randbytes(300_003))
    return path


@pytest.fixture(scope="module")
def kitchen(mode_spawn: Spawn, big_file: Path) -> Iterator[Kitchen]:
    """One server per module, mode and settings, with every little app of tests/apps behind it."""
    servers: dict[str, Server] = {}

    def started(env: dict[str, str] | None = None, **settings: object) -> Server:
        key = repr((env, settings))
        if key not in servers:
            servers[key] = mode_spawn(
                "kitchen:app", settings=settings, env={"FILE": str(big_file), **(env or {})}
            )
        return servers[key]

    yield started
    for server in servers.values():
        assert_no_complaints(server.log())


@pytest.fixture(scope="session")
def gunicorn() -> Command:
    """Real Gunicorn 27.0.1 of the parity suite."""
    found = parity_gunicorn()
    if found is None:
        pytest.skip("RGUNICORN_PARITY_PYTHON is not set: `make test` installs Gunicorn and sets it")
    return found


@pytest.fixture(scope="session", params=["gunicorn", "rgunicorn"])
def beside_others(request: pytest.FixtureRequest) -> Command:
    """Either server where worker classes, frameworks and agents of others are installed."""
    found = thirdparty(request.param)
    if found is None:
        pytest.skip("RGUNICORN_THIRDPARTY_PYTHON is not set: `make test` makes that environment")
    return found
