"""What the error log may say when such things are done. Anything else is a finding."""

from __future__ import annotations

import re

from chaos.invariants import Finding

HEAD = re.compile(r"^\[[^\]]+\] \[\d+\] \[(\w+)\] ")

# Texts of WARNING, ERROR and CRITICAL lines (docs/messages.md), and what they come from.
EXPECTED = {
    r"Invalid request from ip=": "babbler",
    r"Client timed out: ip=": "staller",
    r"Error handling request": "mistake, or ulimit-v; its traceback is looked at",
    r"Worker \(pid:\d+\) was sent SIGKILL!": "kill",
    r"Worker \(pid:\d+\) was sent SIGABRT!": "ulimit-v",
    r"Worker \(pid:\d+\) was sent SIGTERM!": "retire, before it had its handlers",
    r"Worker \(pid:\d+\) exited with code": "ulimit-v, map, thread: it could not boot",
    r"Reload failed, the old configuration stays in force": "map, thread, watch, open",
    r"The last reload had failed": "the same",
    r"Worker \(pid:\d+\) failed to boot, the others serve on": "map, thread",
    r"Workers die soon after boot": "kill",
    r"Worker \(pid:\d+\) took \d+ access lines with it": "kill",
    # The queue between workers takes some 300: a flood may have opened more.
    r"Connections of worker \(pid:\d+\) closed for want of room: ": "kill",
    r"Connections of worker \(pid:\d+\) closed between two requests: ": "kill",
    r"Lost request: ": "kill",
    r"Stacks of worker \(pid:\d+\)": "ulimit-v",
    r"Cannot buffer a request body on disk: ": "full-spool, write-spool, open, ulimit-n",
    r"Cannot accept connections: ": "accept, ulimit-n",
    r"No thread for slow and idle clients": "thread",
    r"Nobody looks at how long": "ulimit-n",
    r"Socket error processing request\.": "receive, send, watch",
    r"Can't reopen log file": "open",
    r"Response to .* is \d+ bytes shorter": "send",
    r"\d+ more messages left out": "any",
    r"Exception in worker process": "map, thread, ulimit-v",
    r"Worker \(pid:\d+\) had no room to note": "any",
    r"rgunicorn: ": "said to stderr",
}

# Last lines of tracebacks that are the application's, or what CPython says without memory.
OWN = re.compile(
    r"(soak\.)?Mistake: |MemoryError|RuntimeError: can't start new thread"
    # The numbers that disturbances give to calls: ENOMEM, ENFILE, EMFILE, ENOSPC and so on.
    r"|OSError: \[Errno (5|11|12|23|24|28|105|110|122)\] "
    r"|OSError: .*\(os error (12|23|24|28)\)$|TimeoutError: \[Errno 110\] "
    r"|ImportError: .*[Cc]annot allocate"
)


def entries(log: str) -> list[tuple[str, str]]:
    """Level and text of each entry; what has no head belongs to the one before it."""
    found: list[tuple[str, str]] = []
    for line in log.splitlines():
        if match := HEAD.match(line):
            found.append((match[1], line[match.end() :]))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        else:
            found.append(("", line))
    return found


def complaints(log: str) -> Finding:
    """No panic, no traceback but the application's, no error that nothing explains."""
    wrong, count = [], 0
    for level, text in entries(log):
        if "panicked at" in text:
            wrong.append(f"a panic: {text[:1500]}")
        for block in text.split("Traceback (most recent call last):")[1:]:
            last = [line for line in block.splitlines() if line and not line.startswith(" ")]
            if not last or not OWN.match(last[0]):
                wrong.append(f"a traceback: {text[:1500]}")
        if level in ("WARNING", "ERROR", "CRITICAL"):
            count += 1
            if not any(re.match(pattern, text) for pattern in EXPECTED):
                wrong.append(f"{level} {text[:400]}")
    return Finding(
        "error log",
        "no panic, no traceback that is not the application's, no error that nothing explains",
        f"{count} warnings and errors",
        wrong,
    )
