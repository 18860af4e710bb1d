"""Draws the pictures of docs/architecture.md: `python docs/pictures.py docs/img`.

They bring their own background and follow the reader's choice of light or dark, so they can be read
on either. Sizes are those of DejaVu Sans, which is wide: other fonts leave more room.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

# Fill and line, light and dark; `floor-N` as the tables of docs/architecture.md count.
COLOURS = {
    "back": (("#ffffff", "#d0d7de"), ("#15191f", "#3d444d")),
    "process": (("#f6f8fa", "#59636e"), ("#1f252d", "#9198a1")),
    "floor-4": (("#fff1c9", "#9a6700"), ("#3f3214", "#d4a72c")),
    "floor-3": (("#ffe2d6", "#bc4c00"), ("#462512", "#f0883e")),
    "floor-2": (("#dbeafe", "#1d5fa8"), ("#14304f", "#58a6ff")),
    "floor-1": (("#d5f2ea", "#0f766e"), ("#0d3b37", "#3fb9a5")),
    "floor-0": (("#eadcff", "#6d28d9"), ("#2f1d4d", "#b083f0")),
    "outside": (("#ffffff", "#8c959f"), ("#15191f", "#6e7681")),
}
TEXT = ("#1f2328", "#e6edf3")
SOFT = ("#59636e", "#a5adb6")


class Picture:
    """An SVG that grows."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = (width, height)
        self._title = title
        self._parts: list[str] = []
        self.box("back", 1, 1, width - 2, height - 2, radius=10)

    def box(
        self,
        kind: str,
        x: int,
        y: int,
        width: int,
        height: int,
        *lines: str,
        radius: int = 6,
        bold: bool = True,
    ) -> None:
        """A box with its lines of text in the middle; the first is a heading."""
        where = f'x="{x}" y="{y}" width="{width}" height="{height}"'
        self._parts.append(f'<rect class="{kind}" {where} rx="{radius}"/>')
        top = y + height / 2 - (len(lines) - 1) * 8 + 4
        for n, line in enumerate(lines):
            kind = "head" if n == 0 and bold else "text"
            self._text(kind, x + width / 2, top + n * 16, line, "middle")

    def process(self, x: int, y: int, width: int, height: int, *lines: str) -> None:
        """A process: its name at the top, what runs in it below."""
        self.box("process", x, y, width, height, radius=10)
        for n, line in enumerate(lines):
            self._text("head" if n == 0 else "soft", x + 14, y + 22 + n * 16, line)

    def note(self, x: int, y: int, *lines: str, anchor: str = "start") -> None:
        """Words beside an arrow."""
        for n, line in enumerate(lines):
            self._text("soft", x, y + n * 15, line, anchor)

    def arrow(self, *points: tuple[int, int], both: bool = False, dashed: bool = False) -> None:
        """A line along `points` to the last; `both`: there and back."""
        path = " ".join(f"{'L' if n else 'M'}{x},{y}" for n, (x, y) in enumerate(points))
        start = ' marker-start="url(#tip)"' if both else ""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(f'<path class="arrow" d="{path}"{start}{dash} marker-end="url(#tip)"/>')

    def _text(self, kind: str, x: float, y: float, text: str, anchor: str = "start") -> None:
        where = f'x="{x:g}" y="{y:g}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
        self._parts.append(f'<text class="{kind}" {where}>{escape(text)}</text>')

    def svg(self) -> str:
        """The whole file."""
        width, height = self._size
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                f'width="{width}" height="{height}" role="img" font-size="12" '
                "font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\">",
                f"<title>{escape(self._title)}</title>",
                "<style>",
                ".head{font-weight:bold} .arrow{fill:none;stroke-width:1.5}",
                _style(0),
                f"@media (prefers-color-scheme: dark) {{ {_style(1)} }}",
                "</style>",
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
                'markerHeight="8" orient="auto-start-reverse">'
                '<path class="tip" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
                *self._parts,
                "</svg>\n",
            ]
        )


def _style(mode: int) -> str:
    rules = [f".{kind}{{fill:{c[mode][0]};stroke:{c[mode][1]}}}" for kind, c in COLOURS.items()]
    rules += [f".head,.text{{fill:{TEXT[mode]}}}", f".soft{{fill:{SOFT[mode]}}}"]
    rules += [f".arrow{{stroke:{SOFT[mode]}}}", f".tip{{fill:{SOFT[mode]}}}"]
    return " ".join(rules)


def processes() -> str:
    """Who runs, and what they share."""
    it = Picture(1000, 690, "Processes of rgunicorn, and what they share")

    it.box("outside", 20, 60, 120, 62, "Operator", "systemd, kill")
    it.process(220, 20, 520, 150, "Master, one thread: supervises, answers nobody")
    it.box("floor-3", 240, 60, 120, 94, "Inbox", "signals out of", "a pipe, in order", "reap, fork")
    it.box(
        "floor-4",
        400,
        60,
        150,
        94,
        "Arbiter",
        "config, hooks, log,",
        "listeners, reload,",
        "upgrade",
    )
    it.box("floor-0", 600, 60, 120, 94, "Fleet", "events in,", "actions out;", "no clock, no pid")
    it.arrow((140, 91), (238, 91))
    it.note(189, 82, "signals", anchor="middle")
    it.arrow((360, 107), (398, 107))
    it.arrow((550, 92), (598, 92))
    it.note(574, 84, "events", anchor="middle")
    it.arrow((600, 126), (552, 126))
    it.note(576, 142, "actions", anchor="middle")

    it.process(810, 20, 170, 150, "Status process")
    it.box(
        "floor-2", 826, 56, 138, 98, "Pages", "/healthz  /readyz", "/metrics  /stats", "read only"
    )
    it.arrow((740, 40), (808, 40))
    it.note(774, 33, "fork", anchor="middle")

    it.box("floor-1", 220, 236, 520, 58, radius=6)
    it.note(
        480,
        258,
        "Shared memory, atomics only: no lock that a dead process could hold",
        anchor="middle",
    )
    it.note(
        480,
        279,
        "scoreboard: heartbeat, counters, wishes, course  ·  flights: running requests, log lines",
        anchor="middle",
    )
    it.arrow((440, 170), (440, 234), both=True)
    it.note(
        450,
        206,
        "reads: who lives, who hangs; what a dead",
        "worker ran. Writes: the course (stop, reload)",
    )
    it.arrow((740, 252), (895, 252), (895, 172))
    it.note(882, 216, "reads", anchor="end")
    it.box("outside", 826, 262, 138, 44, "rgunicorn top", "reads /proc/PID/fd")
    it.arrow((740, 284), (824, 284))

    it.arrow((260, 170), (260, 200), (120, 200), (120, 352))
    it.note(60, 192, "fork, TERM, ABRT")
    for left, name, how in (
        (20, "A gthread worker", "no thread of the application handles signals"),
        (
            510,
            "A sync worker",
            "a server has workers of one class; one request at a time in this one",
        ),
    ):
        it.process(left, 354, 470, 204, name, how)
    it.box(
        "floor-4",
        36,
        406,
        112,
        136,
        "Worker class",
        "main thread:",
        "signals, hooks,",
        "max_requests",
    )
    it.box(
        "floor-2",
        164,
        406,
        160,
        62,
        "Leader",
        "one of the crew: epoll,",
        "connections, outbox",
    )
    it.box(
        "floor-2",
        164,
        480,
        160,
        62,
        "Watcher",
        "the main thread; all I/O",
        "while the crew is busy",
    )
    it.box(
        "floor-3",
        340,
        406,
        136,
        136,
        "Crew of threads",
        "environ, application",
        "(environ,",
        "start_response),",
        "response to bytes",
    )
    it.arrow((148, 511), (162, 511), both=True)
    it.arrow((324, 437), (338, 437), both=True)
    it.arrow((324, 511), (338, 511), both=True)
    it.box(
        "floor-4",
        526,
        406,
        128,
        136,
        "Worker class",
        "main thread: hooks,",
        "signals between",
        "two bytecodes",
    )
    it.box("floor-2", 670, 406, 140, 62, "Leader", "the main thread,", "between calls")
    it.box("floor-2", 670, 480, 140, 62, "Watcher", "a thread of its own,", "while a call lasts")
    it.box(
        "floor-3",
        826,
        406,
        138,
        136,
        "The call",
        "the main thread:",
        "environ, application",
        "response to bytes",
    )
    it.arrow((654, 437), (668, 437), both=True)
    it.arrow((810, 437), (824, 437), both=True)
    it.arrow((810, 511), (824, 511), both=True)
    it.arrow((380, 352), (380, 296), both=True)
    it.note(390, 330, "writes what it does")
    it.arrow((640, 352), (640, 296), both=True)
    it.note(650, 330, "reads: its siblings, the course")
    it.arrow((492, 500), (508, 500), both=True)
    it.note(
        500,
        586,
        "queue of connections: who is busy gives them to a sibling",
        anchor="middle",
    )
    it.arrow((500, 574), (500, 508))

    it.box(
        "floor-1",
        220,
        606,
        520,
        60,
        "Listening sockets, TCP and unix",
        "bound by the master, inherited by systemd or USR2; each worker accepts",
    )
    it.box("outside", 20, 614, 140, 44, "Clients, nginx")
    it.arrow((160, 636), (218, 636), both=True)
    it.arrow((290, 604), (290, 560))
    it.arrow((690, 604), (690, 560))
    for n, (kind, name) in enumerate(
        (
            ("floor-4", "4 Python"),
            ("floor-3", "3 src/py"),
            ("floor-2", "2 engine, status"),
            ("floor-1", "1 sys"),
            ("floor-0", "0 http, fleet, log"),
        )
    ):
        it.box(kind, 800, 572 + n * 21, 16, 14, radius=3)
        it.note(824, 584 + n * 21, f"floor {name}")
    return it.svg()


def request() -> str:
    """The way of one request."""
    it = Picture(1000, 414, "The way of one request through a worker")
    top = 50
    it.note(
        20,
        28,
        "Without Python and without the GIL: any number of clients, none of which holds a thread",
    )
    steps = (
        ("floor-1", 20, "Poller", "accept one,", "recv at once"),
        ("floor-0", 182, "HeadReader", "PROXY, head or", "uwsgi packet"),
        ("floor-0", 344, "Judge, Framing", "every rule; else", "a refusal: 400 …"),
        ("floor-0", 506, "BodyDecoder", "length or chunks,", "trailers"),
        ("floor-1", 668, "Spool", "memory, then an", "unlinked file"),
        ("floor-2", 830, "Ready queue", "complete, or the", "buffer is full"),
    )
    for kind, x, *lines in steps:
        it.box(kind, x, top, 150, 70, *lines)
    for _, x, *_rest in steps[1:]:
        it.arrow((x - 12, top + 35), (x - 2, top + 35))
    it.note(895, 152, "a thread is free", anchor="end")
    it.box("outside", 590, 134, 150, 32, "an idle sibling", bold=False)
    it.arrow((828, 110), (780, 150), (742, 150), dashed=True)
    it.note(580, 154, "none is free: to", anchor="end")

    it.note(20, 200, "In a thread of the application, with the GIL")
    back = (
        ("floor-4", 830, "pre_request", "hook"),
        ("floor-3", 668, "environ", "a copy of a template,", "names interned"),
        ("outside", 506, "Your application", "application(environ,", "start_response)"),
        ("floor-3", 344, "Respond", "each piece as bytes,", "or a file's range"),
        ("floor-0", 182, "Encoder", "head; length, chunks", "or to the end"),
        ("floor-2", 20, "Outbox", "over 1 MiB: a file;", "over 64: it waits"),
    )
    for kind, x, *lines in back:
        it.box(kind, x, 214, 150, 70, *lines)
    for _, x, *_rest in back[:-1]:
        it.arrow((x, 249), (x - 10, 249))
    it.arrow((905, 120), (905, 212))
    it.arrow((95, 284), (95, 322))
    end = (
        ("floor-0", 20, "Access line", "rendered in Rust, when", "the logger is ours"),
        ("floor-4", 182, "close()", "of what was returned;", "post_request hook"),
        ("floor-1", 344, "send, sendfile", "the GIL is released;", "as the client takes it"),
        ("floor-2", 506, "Next request", "or linger, or close"),
    )
    for kind, x, *lines in end:
        it.box(kind, x, 324, 150, 70, *lines)
    for _, x, *_rest in end[1:]:
        it.arrow((x - 12, 359), (x - 2, 359))
    it.note(668, 346, "What a generator yields is sent before the next is")
    it.note(668, 361, "asked for: Respond, Encoder, Outbox and send again.")
    return it.svg()


PICTURES = {"processes.svg": processes, "request.svg": request}


def main(directory: Path) -> None:
    """Writes all pictures into `directory`."""
    for name, draw in PICTURES.items():
        (directory / name).write_text(draw())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
