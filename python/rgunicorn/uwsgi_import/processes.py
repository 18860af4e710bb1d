"""How many processes, of which kind, and when they are replaced."""

from __future__ import annotations

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given
from rgunicorn.uwsgi_import.values import positive, text

_PRELOAD = (
    "uWSGI loads the application before it forks (there is no lazy-apps) and again on each reload. "
    "Here preload_app loads it once: workers share its memory, but HUP does not load new code. "
    "Switch it on if you deploy by a restart, or by USR2."
)


def processes(given: Given, draft: Draft) -> None:
    """Puts the number and class of workers, `preload_app`, `proc_name`, and jitters."""
    number = _workers(given, draft)
    option, made = given.value("threads", positive)
    if option is not None and made is not None and made.value > 1:
        draft.put("threads", made.value, [option], made.note)
    elif option is not None:
        draft.leave([option], Fate.UNNEEDED, "One thread is the default.")
    _gevent(given, draft)
    _preload(given, draft)
    _name(given, draft)
    for delta, setting, base in (
        ("max-requests-delta", "max_requests_jitter", "max-requests"),
        ("max-worker-lifetime-delta", "max_worker_lifetime_jitter", "max-worker-lifetime"),
    ):
        option, made = given.value(delta, positive)
        if option is None or made is None:
            continue
        if not given.all(base):
            draft.leave([option], Fate.UNNEEDED, f"There is no {base}.")
        elif number < 2:
            draft.leave([option], Fate.UNNEEDED, "uWSGI adds it from the second worker on.")
        else:
            note = f"Random; uWSGI adds it once more for each worker, {number - 1} times at most."
            draft.put(setting, made.value * (number - 1), [option], note)


def is_sync(draft: Draft) -> bool:
    """Whether the workers run one request at a time."""
    return "threads" not in draft and "worker_class" not in draft


def _workers(given: Given, draft: Draft) -> int:
    """Puts the number of workers and gives it."""
    option, made = given.value("processes", positive)
    number = 1 if made is None else made.value
    least, low = given.value("cheaper", positive)
    first, begin = given.value("cheaper-initial", positive)
    if least is not None and low is not None:
        if option is None or low.value >= number:
            why = f"uWSGI wants fewer than the processes ({number}), or there is nothing to follow."
            draft.leave([least], Fate.OPEN, f"Not carried over: {why}")
        else:
            draft.put("min_workers", low.value, [least], low.note)
            draft.put("max_workers", number, [option], made.note if made else "")
            start = low.value if begin is None else min(max(begin.value, low.value), number)
            note = "The number to begin with; it follows the load from there."
            draft.put("workers", start, [least] if first is None else [first], note)
            return number
    if first is not None:
        draft.leave([first], Fate.UNNEEDED, "There is no cheaper that it belongs to.")
    if option is not None and made is not None:
        draft.put("workers", made.value, [option], made.note)
    return number


def _gevent(given: Given, draft: Draft) -> None:
    option, made = given.value("gevent", positive)
    if option is None or made is None:
        return
    draft.put("worker_class", "gevent", [option], "It needs the package gevent.")
    note = "Connections of one worker, kept-alive ones too; uWSGI counts requests."
    draft.put("worker_connections", made.value, [option], note, made.note)
    if "threads" in draft:
        line = draft.lines.pop("threads")
        draft.leave(line.sources, Fate.UNNEEDED, "The gevent worker has no threads.")
    for name in ("min_workers", "max_workers"):
        if name in draft:
            line = draft.lines.pop(name)
            why = "The number of gevent workers does not follow the load."
            draft.leave(line.sources, Fate.MISSING, why, "`workers`")


def _preload(given: Given, draft: Draft) -> None:
    lazy = given.last("lazy-apps")
    if lazy is not None and lazy.is_on:
        draft.put("preload_app", False, [lazy], "Each worker loads the application itself.")
    else:
        draft.propose("preload_app", True, [] if lazy is None else [lazy], _PRELOAD)


def _name(given: Given, draft: Draft) -> None:
    option, made = given.value("procname-prefix-spaced", text)
    if option is not None and made is not None and made.value.strip():
        note = "Processes are called `gunicorn: master [...]` with it, given setproctitle."
        draft.put("proc_name", made.value.strip(), [option], note)
