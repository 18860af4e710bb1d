"""What the server has written down: access lines, and who ran what. Read when a run is over."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from chaos.site import LINE, Site

# At most so many bytes of a worker's log are lost with it (docs/design/forensics.md).
TOOK = re.compile(r"Worker \(pid:\d+\) took (\d+) access lines with it")
KILLED = re.compile(
    r"Lost request: .*\(id: ([^,)]+),.* pid: (\d+)\): "
    r"its worker (?:was killed by|exited with code) "
)
LOST = re.compile(r"access log is written again; lines lost: (\d+)")


@dataclass(frozen=True)
class Line:
    """An access line."""

    id: str
    status: int
    bytes: int
    pid: int


@dataclass
class Records:
    """All of it."""

    lines: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    """By name of the request."""
    total: Counter[str] = field(default_factory=Counter)
    """Lines by class of status: `2xx`."""
    torn: list[str] = field(default_factory=list)
    """What is not one whole access line."""
    runs: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The pids of the workers that ran a request."""
    took: int = 0
    """Lines that killed workers took with them, as the error log says."""
    deaths: dict[str, int] = field(default_factory=dict)
    """The pid of the worker that was killed, or crashed, while it ran a request, by the name of the
    request: as the error log says."""
    lost: int = 0
    """Lines for which the disk had no room for too long, as the error log says."""

    @property
    def gone(self) -> int:
        """Lines that may be missing."""
        return self.took + self.lost + len(self.torn)


def read(site: Site) -> Records:
    """What `site` has written."""
    found = Records()
    names = site.access_path.name + "*"
    for path in sorted(site.directory.glob(names)):
        for text in path.read_text(errors="backslashreplace").splitlines():
            whole = lines_in(text)
            for line in whole:
                found.lines[line.id].append(line)
                found.total[f"{line.status // 100}xx"] += 1
            if len(whole) != 1 or LINE.fullmatch(text) is None:
                found.torn.append(text[:200])
    for entry in site.ledger_path.read_text().splitlines():
        name, _, pid = entry.rpartition(" ")
        found.runs[name].append(int(pid))
    found.deaths = {name: int(pid) for name, pid in KILLED.findall(site.log())}
    found.lost = sum(map(int, LOST.findall(site.log())))
    found.took = sum(map(int, TOOK.findall(site.log())))
    return found


def lines_in(text: str) -> list[Line]:
    """The whole access lines in `text`, also those that stand behind the piece of another."""
    found = []
    for match in LINE.finditer(text):
        size = 0 if match[3] == "-" else int(match[3])
        found.append(Line(match[1], int(match[2]), size, int(match[4])))
    return found
