"""`rgunicorn top`: the screen. Needs Textual, the extra `top`.

Everything that a client may have chosen comes as `Text`, never as markup, and printable.
"""

from __future__ import annotations

import select

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Sparkline, Static

from rgunicorn.top import rows, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, ClassVar

    from textual.events import Resize
    from textual.timer import Timer

    from rgunicorn.top.rows import Column
    from rgunicorn.top.watch import Watch

# Seconds between two looks, to choose from.
PACES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_OF_THE_TABLE = {"sort", "reverse", "details"}
_STATES = {"busy": "green", "booting": "yellow"}


class Workers(DataTable[Text]):
    """The table of workers."""

    BINDINGS: ClassVar = [Binding("enter", "select_cursor", "Details")]


class Top(App[str]):
    """The screen for one server.

    Args:
        watch: looks at it.
        interval: seconds between two looks.
        terminal: the descriptor of the terminal, which may go away.
    """

    TITLE = "rgunicorn top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; text-style: bold; }
    #trouble { height: auto; color: $text-error; background: $error-muted; display: none; }
    #graphs { height: 3; }
    #graphs Vertical { width: 1fr; height: 3; margin: 0 1 0 0; }
    #graphs Static { height: 1; }
    Sparkline { height: 2; }
    #requests > .sparkline--max-color { color: $success; }
    #requests > .sparkline--min-color { color: $success 60%; }
    #p99 > .sparkline--max-color { color: $warning; }
    #p99 > .sparkline--min-color { color: $warning 60%; }
    #counters { height: 3; margin: 0 0 1 0; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar = [
        Binding("q", "quit", "Quit"),
        Binding("s,right", "sort(1)", "Sort by next", priority=True, key_display="s →"),
        Binding("left", "sort(-1)", "Previous", show=False, priority=True),
        Binding("r", "reverse", "Reverse"),
        Binding("p", "pause", "Pause"),
        Binding("plus,equals_sign", "pace(-1)", "Faster", key_display="+"),
        Binding("minus", "pace(1)", "Slower", key_display="-"),
    ]

    def __init__(self, watch: Watch, interval: float = 1.0, terminal: int | None = None) -> None:
        super().__init__()
        self._terminal = terminal
        self._watch = watch
        self._interval = interval
        self._timer: Timer | None = None
        self._is_paused = False
        self._by, self._reversed = "SLOT", False
        # What the table shows: its columns, its slots from above, its texts.
        self._columns: tuple[Column, ...] = ()
        self._slots: list[int] = []
        self._texts: list[list[str]] = []

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Static(id="trouble", markup=False)
        with Horizontal(id="graphs"):
            with Vertical():
                yield Static(id="requests-now", markup=False)
                yield Sparkline(id="requests")
            with Vertical():
                yield Static(id="p99-now", markup=False)
                yield Sparkline(id="p99")
        yield Static(id="counters", markup=False)
        yield Workers(id="workers", cursor_type="row", cell_padding=0, zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        self._pace()
        self.set_interval(1, self._leave_if_alone)
        self.show()

    def _leave_if_alone(self) -> None:
        """Ends with the terminal: not everybody gets SIGHUP, and Textual would read the end of
        its input for ever."""
        if self._terminal is None:
            return
        poll = select.poll()
        poll.register(self._terminal, 0)
        if poll.poll(0):
            self.exit("")

    def on_resize(self, event: Resize) -> None:
        self.call_after_refresh(self.show)

    def look(self) -> None:
        """Looks at the server, and shows what there is."""
        self._watch.look()
        if self._watch.has_ended and self._watch.pidfile is None:
            self.exit(f"the server with pid {self._watch.document['server']['pid']} has ended")
            return
        self.show()

    def show(self) -> None:
        """Shows what was seen last."""
        base = self.screen_stack[0]
        document = self._watch.document
        server = document["server"]
        pace = "paused" if self._is_paused else f"every {self._interval:g} s"
        title = Text(words.title(server), no_wrap=True, overflow="ellipsis")
        base.query_one("#title", Static).update(title.append(f"  ({pace})", "dim"))
        trouble = base.query_one("#trouble", Static)
        told = self._troubles()
        trouble.update(Text("\n".join(told)))
        trouble.display = bool(told)
        for name, values, text in (
            ("requests", self._watch.requests, "requests/s {}"),
            ("p99", self._watch.p99, "p99 of the app {}"),
        ):
            graph = base.query_one(f"#{name}", Sparkline)
            width = max(1, graph.size.width)
            graph.data = [0.0] * (width - len(values)) + list(values)[-width:]
            now = values[-1] if values else None
            spelled = words.rate(now) if name == "requests" else words.duration(now or None)
            base.query_one(f"#{name}-now", Static).update(Text(text.format(spelled), "bold"))
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in rows.counters(document)]
        base.query_one("#counters", Static).update(Text("\n").join(lines))
        self._show_workers(base.query_one(DataTable))
        if isinstance(self.screen, Details):
            self.screen.show()

    def _troubles(self) -> list[str]:
        if self._watch.has_ended:
            pid = self._watch.document["server"]["pid"]
            return [
                f"the server with pid {pid} has ended; waiting for another one in "
                f"{self._watch.pidfile}"
            ]
        return words.troubles(self._watch.document["server"])

    def _show_workers(self, table: DataTable[Text]) -> None:
        columns = rows.columns(self.size.width)
        by = self._column()
        found = rows.ordered(self._watch.document["workers"], by, self._reversed)
        slots = [worker["slot"] for worker in found]
        texts = [[column.text(worker) for column in columns] for worker in found]
        chosen = self.chosen()
        if columns != self._columns or len(slots) != len(self._slots):
            table.clear(columns=True)
            room = self.size.width - sum(column.width for column in columns) - 2
            for column in columns:
                table.add_column("", width=column.width or max(20, room), key=column.title)
            for row in texts:
                table.add_row(*self._cells(row, columns))
        else:
            for n, row in enumerate(texts):
                for m, cell in enumerate(self._cells(row, columns)):
                    if row[m] != self._texts[n][m]:
                        table.update_cell_at((n, m), cell)  # type: ignore[arg-type]
        self._columns, self._slots, self._texts = columns, slots, texts
        for key, heading in table.columns.items():
            mark = ("▲" if by.down == self._reversed else "▼") if key.value == by.title else ""
            column = next(it for it in columns if it.title == key.value)
            label = f"{mark}{column.title}"
            heading.label = Text(label if not column.width else label.rjust(column.width - 1))
        table.refresh()
        if chosen in slots and table.cursor_row != slots.index(chosen):
            table.move_cursor(row=slots.index(chosen))

    def _cells(self, row: Sequence[str], columns: Sequence[Column]) -> list[Text]:
        return [
            Text(text.rjust(column.width - 1), _STATES.get(text, ""))
            if column.width
            else Text(text, no_wrap=True, overflow="ellipsis")
            for text, column in zip(row, columns, strict=True)
        ]

    def chosen(self) -> int | None:
        """The slot under the cursor."""
        row = self.screen_stack[0].query_one(DataTable).cursor_row
        return self._slots[row] if 0 <= row < len(self._slots) else None

    def worker(self, slot: int) -> dict[str, Any] | None:
        """What is known of the worker in a slot."""
        return self._watch.worker(slot)

    def _column(self) -> Column:
        return next(column for column in rows.COLUMNS if column.title == self._by)

    def _pace(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(self._interval, self.look, pause=self._is_paused)

    def sort_by(self, title: str) -> None:
        """Sorts by the column; by the same one again: the other way round."""
        self._reversed = not self._reversed if title == self._by else False
        self._by = title
        self.show()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self.sort_by(str(event.column_key.value))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.action_details()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What sorts the table of workers is not offered where nobody sees it."""
        del parameters
        return not (isinstance(self.screen, Details) and action in _OF_THE_TABLE)

    def action_sort(self, step: int) -> None:
        """Sorts by the next column."""
        shown = [column.title for column in self._columns]
        at = shown.index(self._by) if self._by in shown else 0
        self._by, self._reversed = shown[(at + step) % len(shown)], False
        self.show()

    def action_reverse(self) -> None:
        """The other way round."""
        self._reversed = not self._reversed
        self.show()

    def action_pause(self) -> None:
        """Stops looking, or goes on."""
        self._is_paused = not self._is_paused
        self._pace()
        self.show()

    def action_pace(self, step: int) -> None:
        """Looks less often, or more often."""
        slower = [pace for pace in PACES if pace > self._interval]
        faster = [pace for pace in PACES if pace < self._interval]
        if step > 0 and slower:
            self._interval = slower[0]
        elif step < 0 and faster:
            self._interval = faster[-1]
        self._pace()
        self.show()

    def action_details(self) -> None:
        """Shows one worker with all its requests."""
        slot = self.chosen()
        if slot is not None and not isinstance(self.screen, Details):
            self.push_screen(Details(slot))


class Details(Screen[None]):
    """One worker, and all that it runs.

    Args:
        slot: its slot.
    """

    CSS = """
    #details { height: 1fr; border: round $primary; }
    #facts { height: auto; margin: 0 0 1 0; }
    #current { height: 1fr; }
    """
    BINDINGS: ClassVar = [
        Binding("escape,enter,q", "leave", "Back", priority=True, key_display="esc"),
    ]

    app: Top

    def __init__(self, slot: int) -> None:
        super().__init__()
        self._slot = slot
        self._is_made = False
        self._texts: list[tuple[str, ...]] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="details"):
            yield Static(id="facts", markup=False)
            yield DataTable(id="current", cursor_type="row")
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("AGE", "PHASE", "FROM", "ID", "REQUEST")
        self._is_made = True
        self.show()

    def show(self) -> None:
        """Shows what was seen last."""
        worker = self.app.worker(self._slot)
        if worker is None or not self._is_made:
            return
        self.query_one("#facts", Static).update(Text("\n".join(rows.details(worker))))
        texts = rows.requests(worker)
        table = self.query_one("#current", DataTable)
        if texts != self._texts:
            at = table.cursor_row
            table.clear()
            for row in texts:
                table.add_row(*(Text(text) for text in row))
            table.move_cursor(row=min(at, max(0, len(texts) - 1)))
            self._texts = texts

    def action_leave(self) -> None:
        """Back to the server."""
        self.dismiss()
