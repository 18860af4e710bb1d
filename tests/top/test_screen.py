"""`rgunicorn top` on servers that do not exist: what its keys do, what it shows."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Sparkline, Static

from rgunicorn.top.document import document
from rgunicorn.top.reading import Sample
from rgunicorn.top.screen import Details, Top
from rgunicorn.top.watch import Watch
from top.made import request, sample, worker

Play = Callable[[Pilot[str], Top, "Made"], Awaitable[None]]


class Made(Watch):
    """Looks at samples that a test gives it."""

    def __init__(self, first: Sample, pidfile: str | None = None) -> None:
        self.next = first
        self.pidfile = pidfile
        self.looks = 0
        self.ended = False
        self._before: Sample | None = None
        self.requests: deque[float] = deque()
        self.p99: deque[float] = deque()
        self.look()

    @property
    def has_ended(self) -> bool:
        return self.ended

    def look(self) -> None:
        self.looks += 1
        self.document: dict[str, Any] = document(self.next, self._before)
        self.requests.append(float(self.looks))
        self.p99.append(0.001)
        self._before = self.next


def workers() -> list[dict[str, Any]]:
    return [worker(0, running=1), worker(1, running=3), worker(2, running=2)]


def play(steps: Play, made: Made, size: tuple[int, int] = (80, 24)) -> Top:
    """Runs the screen through `steps`; nothing happens by itself, as it looks once an hour."""
    app = Top(made, interval=3600)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(pilot, app, made)

    asyncio.run(run())
    return app


def slots(app: Top) -> list[str]:
    table = app.screen_stack[0].query_one("#workers", DataTable)
    return [str(table.get_row_at(n)[0]).strip() for n in range(table.row_count)]


def shown(app: Top, name: str) -> str:
    return str(app.screen_stack[0].query_one(f"#{name}", Static).render())


def headings(app: Top) -> list[str]:
    table = app.screen_stack[0].query_one("#workers", DataTable)
    return [str(column.label).strip() for column in table.columns.values()]


def test_keys_sort() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        assert slots(app) == ["0", "1", "2"] and headings(app)[0] == "▲SLOT"
        for _ in range(4):
            await pilot.press("s")
        assert slots(app) == ["1", "2", "0"] and headings(app)[4] == "▼BUSY"
        await pilot.press("r")
        assert slots(app) == ["0", "2", "1"] and headings(app)[4] == "▲BUSY"
        for _ in range(4):
            await pilot.press("left")
        assert slots(app) == ["0", "1", "2"]
        await pilot.press("left")
        assert headings(app)[-1] == "▼REQUEST"

    play(steps, Made(sample(*workers())))


def test_the_mouse_sorts() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        # Inside the heading BUSY.
        await pilot.click("#workers", offset=(30, 0))
        assert slots(app) == ["1", "2", "0"]
        await pilot.click("#workers", offset=(30, 0))
        assert slots(app) == ["0", "2", "1"]

    play(steps, Made(sample(*workers())))


def test_the_cursor_stays_with_its_worker() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        await pilot.press("down")
        assert app.chosen() == 1
        made.next = sample(*workers()[1:], worker(3))
        app.look()
        await pilot.pause()
        assert slots(app) == ["1", "2", "3"] and app.chosen() == 1
        made.next = sample(*workers(), worker(3))
        app.look()
        await pilot.pause()
        assert slots(app) == ["0", "1", "2", "3"] and app.chosen() == 1

    play(steps, Made(sample(*workers())))


def test_details_show_all_requests() -> None:
    running = [request(b"/first", age=5), request(b"/second", age=3)]

    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        await pilot.press("down", "enter")
        assert isinstance(app.screen, Details)
        table = app.screen.query_one("#current", DataTable)
        rows = [[str(cell) for cell in table.get_row_at(n)] for n in range(table.row_count)]
        assert [(row[0], row[-1]) for row in rows] == [
            ("5.00s", "GET /first"),
            ("3.00s", "GET /second"),
        ]
        assert "slot 1" in str(app.screen.query_one("#facts", Static).render())
        made.next = sample(*workers(), now=11, running={2: [request(b"/third", now=11)]})
        app.look()
        await pilot.pause()
        assert [str(cell) for cell in table.get_row_at(0)][-1] == "GET /third"
        # The worker goes: what was known of it stays.
        made.next = sample(workers()[0], now=12)
        app.look()
        await pilot.press("escape")
        assert not isinstance(app.screen, Details) and slots(app) == ["0"]

    play(steps, Made(sample(*workers(), running={2: running})))


def test_pause_and_pace() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        await pilot.press("p")
        assert "(paused)" in shown(app, "title")
        for _ in range(20):
            await pilot.press("plus")
        assert "(paused)" in shown(app, "title")
        seen = made.looks
        await pilot.pause(0.5)
        assert made.looks == seen
        await pilot.press("p")
        assert "(every 0.2 s)" in shown(app, "title")
        while made.looks == seen:
            await pilot.pause(0.05)
        for _ in range(20):
            await pilot.press("minus")
        assert "(every 30 s)" in shown(app, "title")

    play(steps, Made(sample(*workers())))


@pytest.mark.parametrize("path", [b"/\x1b[2J", b"/[bold red]x[/]", b"/[@click=app.quit]q[/]"])
def test_nothing_of_a_client_is_markup(path: bytes) -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        for _ in range(2):
            # In the table, then in the details.
            svg = app.export_screenshot()
            text = path.decode().replace("\x1b", "\\x1b")
            spelled = text.replace(" ", "&#160;")
            assert spelled in svg, re.findall("GET.*|/.*", svg)[-30:]
            assert "\x1b" not in svg
            await pilot.press("enter")

    it = request(path, peer=path, request_id=path, method=path)
    play(steps, Made(sample(*workers(), running={1: [it]})), size=(160, 40))


def test_troubles_are_shown() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        trouble = app.query_one("#trouble", Static)
        assert not trouble.display
        made.next = sample(*workers(), reloads=1, reload_failures=1, reload_failed=1)
        app.look()
        await pilot.pause()
        assert trouble.display and shown(app, "trouble") == "the last reload failed"
        assert "ended: reload 1" in shown(app, "counters")
        graph = app.query_one("#requests", Sparkline)
        assert graph.data is not None and list(graph.data)[-2:] == [1.0, 2.0]

    play(steps, Made(sample(*workers())))


def test_a_small_terminal_and_a_large_one() -> None:
    async def steps(pilot: Pilot[str], app: Top, made: Made) -> None:
        assert "AGE" not in headings(app) and headings(app)[-1] == "REQUEST"
        await pilot.resize_terminal(140, 40)
        await pilot.pause()
        await pilot.pause()
        assert {"AGE", "REQUESTS"} <= set(headings(app))
        await pilot.resize_terminal(30, 8)
        await pilot.pause()

    play(steps, Made(sample(*workers())))


def test_a_server_that_ends() -> None:
    async def ends(pilot: Pilot[str], app: Top, made: Made) -> None:
        made.ended = True
        app.look()
        await pilot.pause()

    app = play(ends, Made(sample(*workers())))
    assert app.return_value == "the server with pid 7 has ended" and app.return_code == 0

    async def waits(pilot: Pilot[str], app: Top, made: Made) -> None:
        made.ended = True
        app.look()
        await pilot.pause()
        assert "waiting for another one in /run/x.pid" in shown(app, "trouble")
        made.ended = False
        app.look()
        await pilot.pause()
        assert not app.query_one("#trouble", Static).display
        await pilot.press("q")

    assert play(waits, Made(sample(*workers()), pidfile="/run/x.pid")).return_value is None
