"""Agents of others, each started as its docs say: what they report of requests, and when."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from harness.console import install
from harness.mode import MODES
from harness.server import Command, spawner
from harness.sink import sink
from harness.wait import until
from harness.wire import ask, get
from thirdparty.agents.table import AGENTS

APPS = Path(__file__).parent / "apps"


@pytest.mark.parametrize(
    ("name", "worker"),
    [(name, worker) for name, agent in AGENTS.items() for worker in agent.workers],
)
def test_reports(beside_others: Command, tmp_path: Path, name: str, worker: str) -> None:
    """Requests of a worker that max_requests ends, then of one that TERM ends."""
    agent = AGENTS[name]
    (mode,) = [mode for mode in MODES if str(mode) == f"{worker}-tcp"]
    for file, text in agent.files.items():
        (tmp_path / file).write_text(text.format(directory=tmp_path))

    with sink() as collector, spawner(tmp_path, started(beside_others, agent.wrapper), mode) as new:
        server = new(
            agent.app,
            settings={"max_requests": 3, "graceful_timeout": 60},
            config=agent.config,
            env=install(tmp_path, beside_others)
            | {"PYTHONPATH": str(APPS)}
            | agent.env(tmp_path, collector),
        )

        def reported(*paths: str) -> None:
            until(
                lambda: agent.paths(server, collector) >= set(paths),
                f"a report of {paths}; so far: {agent.paths(server, collector)}",
                show=server.log,
            )

        def said_error() -> bool:
            return "out of stock" in agent.error(server, collector)

        assert ask(server.address, get("/boom/1")).status == 500
        if agent.hurries:
            until(said_error, "the error to be reported", show=server.log)
        for path in ("/hello/2", "/hello/3"):
            assert ask(server.address, get(path)).status == 200
        server.wait_log("Booting worker", 2)
        reported("/boom/1", "/hello/2", "/hello/3")
        until(said_error, "the error to be reported", show=server.log)
        for words in agent.also:
            assert words in agent.error(server, collector)

        # The collector is slow: what it has not taken yet is sent while the worker ends.
        collector.open.clear()
        assert ask(server.address, get("/hello/4")).status == 200
        server.send_signal(signal.SIGTERM)
        server.wait_log("Worker exiting", 2)
        collector.open.set()
        assert server.wait_exit() == 0
        assert agent.paths(server, collector) == {"/boom/1", "/hello/2", "/hello/3", "/hello/4"}


def started(command: Command, wrapper: tuple[str, ...]) -> Command:
    """The server's console script behind a wrapper from the same environment."""
    return Command((*wrapper, command.name), command.name)
