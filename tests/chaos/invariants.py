"""What must hold when all is over: for each, what was expected, and what was found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chaos.clients import Book, Burst, Client
from chaos.records import Records
from chaos.site import Measure, Site
from chaos.timeline import Timeline

SHOWN = 12
MASTER_BOUND = 6 << 20
WORKER_BOUND = 24 << 20
"""Bytes a process may have more than after the warm-up. A worker: what the allocator keeps of the
largest requests it has had at once, several of 4 MB."""

LATE = 1.0
"""Seconds from the client's last byte to the end of the worker's instant behind it: on a busy
machine the worker does not run meanwhile, or another thread has the interpreter."""


@dataclass
class Finding:
    """One invariant."""

    name: str
    expected: str
    found: str
    wrong: list[str] = field(default_factory=list)
    """What contradicts it, for a person."""

    @property
    def holds(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        lines = [
            f"{'ok  ' if self.holds else 'BAD '} {self.name}",
            f"       expected: {self.expected}",
            f"       found:    {self.found}",
            *(f"       ! {it}" for it in self.wrong[:SHOWN]),
        ]
        if len(self.wrong) > SHOWN:
            lines.append(f"       ! and {len(self.wrong) - SHOWN} more")
        return "\n".join(lines)


def clients_work(clients: list[Client], turns: int, failed: list[str]) -> Finding:
    """The run was one: every client has done something, none was broken, nor a disturbance."""
    idle = [f"{it.name} did nothing" for it in clients if not it.turns and not it.broken]
    broken = [it.broken for it in clients if it.broken]
    return Finding(
        "clients",
        "each of them has been at work, to the end, and each disturbance came to its own",
        f"{len(clients)} clients, {sum(it.turns for it in clients)} conversations, "
        f"{turns} disturbances",
        idle + broken + failed,
    )


def answers(book: Book, timeline: Timeline, behaving: set[str]) -> Finding:
    """Who behaved has a whole, right answer, or a disturbance excuses the way it failed."""
    outcomes: Counter[str] = Counter()
    wrong, excused = [], Counter[str]()
    for request in book.requests.values():
        if request.client not in behaving:
            continue
        outcomes[request.outcome] += 1
        if request.outcome in ("answered", "left"):
            continue
        excuse = timeline.excuse(request.outcome, request.sent, request.at)
        if excuse is None and request.outcome == "silent" and request.before:
            excuse = timeline.excuse("race", request.sent, request.at)
        if excuse is not None:
            excused[f"{request.outcome} ({excuse.name})"] += 1
            continue
        others = [it.name for it in timeline.overlapping(request.sent, request.at)]
        begin, end = request.sent - timeline.start, request.at - timeline.start
        wrong.append(f"{begin:.3f} to {end:.3f} s, during {others}: {request}")
    return Finding(
        "answers",
        "whoever behaved got a whole answer with the right body, but for those whom a disturbance "
        "at that time excuses",
        f"{dict(outcomes)}; excused: {dict(excused)}",
        wrong,
    )


def access_lines(book: Book, records: Records, timeline: Timeline, hands: int) -> Finding:
    """Every answered request has its one access line, every line its request.

    A worker that dies in the instant after the last byte of an answer has left, and before it has
    noted that, can not tell anybody: the master says 500 of that request. `hands`: in how many
    requests at once a worker can be at that point, which is how many of those it may have.
    """
    wrong, missing = [], []
    unnoted: Counter[int] = Counter()
    for request in book.requests.values():
        lines = records.lines.get(request.id, [])
        if len(lines) > 1:
            wrong.append(f"{len(lines)} lines: {lines}, {request}")
        if request.outcome == "answered" and not lines:
            missing.append(f"no line: {request}")
        if request.outcome == "answered" and lines and lines[0].status != request.status:
            dead = records.deaths.get(request.id, -1)
            # curl does not tell who has answered.
            theirs = request.worker in (dead, 0) and lines[0].status == 500
            at_work = timeline.excuse("unnoted", request.sent, request.at + LATE)
            if theirs and dead > 0 and at_work:
                unnoted[dead] += 1
            else:
                wrong.append(f"{lines[0]} is about {request}")
    for burst in book.bursts.values():
        own = {name: records.lines[name] for name in records.lines if is_of(burst, name)}
        wrong += [f"{len(lines)} lines: {lines}" for lines in own.values() if len(lines) > 1]
        answered = burst.answered - burst.status_errors
        lack = answered - sum(lines[0].status == 200 for lines in own.values())
        if timeline.excuse("unnoted", burst.sent, burst.at + LATE):
            # wrk does not say which of its requests were answered.
            lost = [name for name, lines in own.items() if lines[0].status == 500]
            dead = [records.deaths[name] for name in lost if name in records.deaths]
            unnoted.update(dead[: max(0, lack)])
            lack -= min(max(0, lack), len(dead))
        missing += [f"wrk {burst.id}: {answered} answered, {lack} without a line"] * lack
    wrong += [
        f"{count} answered requests of worker {pid}, which was killed, have a line with 500"
        for pid, count in unnoted.items()
        if count > hands
    ]
    words = tuple(f"{word}-" for word in book.bursts)
    for name in records.lines:
        if name not in book.requests and not name.startswith(words):
            wrong.append(f"a line about {name}, which nobody has asked")
    if len(missing) > records.gone:
        wrong += missing
    return Finding(
        "access log",
        "one line for each answered request, with its status, and at most one for every other; "
        "none that nobody asked for. Not more missing than the error log says are lost (a full "
        "disk, killed workers) and than are broken. Of a worker that was killed at that time, up "
        f"to {hands} that were answered may have a line with 500",
        f"{sum(records.total.values())} lines, {dict(records.total)}; {len(missing)} missing; "
        f"{records.lost} lost for want of room, {records.took} taken by killed workers, "
        f"{len(records.torn)} broken; {unnoted.total()} with 500 that were answered, of "
        f"{len(unnoted)} killed workers",
        wrong,
    )


def is_of(burst: Burst, name: str) -> bool:
    """Whether it is a request of it."""
    return name.startswith(f"{burst.id}-")


def log_is_whole(records: Records, timeline: Timeline, failed: int) -> Finding:
    """No line is mixed with another, but for those of which the disk took a part."""
    full = timeline.ran("write-log")
    return Finding(
        "lines",
        "each is whole; but where the disk took a part of a line, that one and the one that "
        f"another process wrote behind the part: {full} times, so not more than {2 * full}",
        f"{len(records.torn)} broken, {failed} failed writes",
        records.torn if len(records.torn) > 2 * full else [],
    )


def runs(book: Book, records: Records) -> Finding:
    """No request runs twice, and none is answered that did not run."""
    wrong = [f"{name} ran in {pids}" for name, pids in records.runs.items() if len(pids) > 1]
    for request in book.requests.values():
        if request.outcome == "answered" and request.id not in records.runs:
            wrong.append(f"did not run: {request}")
    return Finding(
        "the application",
        "runs each request once at most, and each that was answered",
        f"{len(records.runs)} requests have run",
        wrong,
    )


def counters(site: Site, book: Book, records: Records, killed: int) -> Finding:
    """`/metrics` has what the access log has. `killed`: how many workers were, or crashed."""
    metrics = site.metrics()
    between = killed * site.hands
    wrong, found = [], []
    refused = int(metrics["rgunicorn_requests_refused_total"])
    quiet = sum(name not in records.lines for name in records.runs)
    for status_class in ("2xx", "3xx", "4xx", "5xx"):
        counted, logged = site.requests(status_class), records.total[status_class]
        found.append(f"{status_class}: {counted} counted, {logged} lines")
        # 400, 408 and the like have no line where the head was not understood or not complete.
        pages = refused if status_class in ("4xx", "5xx") else 0
        # A client that left before the head of its answer is a 499, without a line.
        pages += quiet if status_class == "4xx" else 0
        if not -between <= counted - logged <= between + pages + records.gone:
            wrong.append(found[-1])
    sent = sum(r.outcome == "answered" and r.status == 200 for r in book.requests.values())
    sent += sum(burst.answered - burst.status_errors for burst in book.bursts.values())
    if site.requests("2xx") + between < sent:
        wrong.append(f"clients have {sent} answers with 200")
    return Finding(
        "counters",
        "for each class of status rgunicorn_requests_total = access lines + pages for what was not "
        f"understood (rgunicorn_requests_refused_total) + {quiet} that ran without a line (499) "
        f"+ {records.gone} lines that may be missing;"
        f" a kill may hit between the two, once in each of {site.hands} threads, so not further "
        f"apart than {between} for {killed} kills. Not fewer 2xx than clients have got",
        f"{'; '.join(found)}; {refused} refused; clients have {sent} of 200",
        wrong,
    )


def descriptors(site: Site, before: Measure, after: Measure) -> Finding:
    """Nothing stays open."""
    master = site.server.pid
    wrong = []
    if more := after.fds[master] - before.fds[master]:
        wrong.append(f"master: {dict(more)} more than before")
    most: Counter[str] = Counter()
    for pid, fds in before.fds.items():
        if pid != master:
            most |= fds
    for pid, fds in after.fds.items():
        if pid != master and (more := fds - most):
            wrong.append(f"{pid}: {dict(more)} more than any worker had before")
    counts = [sum(measure.fds[master].values()) for measure in (before, after)]
    each = [
        sorted(sum(fds.values()) for pid, fds in m.fds.items() if pid != master)
        for m in (before, after)
    ]
    return Finding(
        "descriptors",
        "of each kind not more than after the warm-up, in the master and in each worker",
        f"master {counts[0]} before, {counts[1]} after; others {each[0]} before, {each[1]} after",
        wrong,
    )


def memory(site: Site, series: list[Measure]) -> Finding:
    """Private memory is what it was after the warm-up."""
    master, first, last = site.server.pid, series[0], series[-1]
    wrong = []
    if (more := last.private[master] - first.private[master]) > MASTER_BOUND:
        wrong.append(f"master: {more / 1e6:.1f} MB more")
    most = max(size for pid, size in first.private.items() if pid != master)
    for pid, size in last.private.items():
        if pid != master and size - most > WORKER_BOUND:
            wrong.append(f"{pid}: {size / 1e6:.1f} MB, {most / 1e6:.1f} MB the largest before")

    def told(measure: Measure) -> str:
        others = max(size for pid, size in measure.private.items() if pid != master)
        return f"{measure.private[master] / 1e6:.1f}/{others / 1e6:.1f}"

    return Finding(
        "memory",
        f"private memory not more than {MASTER_BOUND >> 20} MiB above that after the warm-up in "
        f"the master, {WORKER_BOUND >> 20} MiB above the largest worker's in a worker",
        f"MB in master/largest worker at each rest: {' '.join(map(told, series))}",
        wrong,
    )


def workers(site: Site, seen: set[int]) -> Finding:
    """All are there, and all serve. `seen`: pids that have answered after the end."""
    now, zombies = site.workers, site.zombies()
    wrong = []
    if len(now) != site.count:
        wrong.append(f"{len(now)} workers")
    wrong += [f"{pid} is a zombie" for pid in zombies]
    wrong += [f"{pid} has answered nobody" for pid in set(now) - seen]
    return Finding(
        "workers",
        f"{site.count}, each of which answers, and no zombie",
        f"{now}, of which {sorted(seen & set(now))} have answered; zombies {zombies}",
        wrong,
    )


def nothing_left(site: Site) -> Finding:
    """No file where uploads were kept; nothing open, nothing running."""
    left = [path.name for path in site.spool.iterdir()]
    metrics = site.metrics()
    gauges = ("rgunicorn_connections", "rgunicorn_app_slots_busy", "rgunicorn_queue_requests")
    wrong = [f"in the spool: {name}" for name in left]
    wrong += [f"{name} = {metrics[name]:g}" for name in gauges if metrics[name]]
    return Finding(
        "nothing left",
        "no file in tmp_upload_dir; no connection, no running and no waiting request",
        f"{len(left)} files; " + ", ".join(f"{name[10:]} {metrics[name]:g}" for name in gauges),
        wrong,
    )
