"""What is logged and where: `errorlog`, `accesslog`, `access_log_*`, `log_slow`, `syslog`,
`daemon`."""

from __future__ import annotations

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.logformat import translated
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.values import Made, Unfit, path, positive, text

_DEFAULT_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
_FORWARDED = "Anybody can send X-Forwarded-For; behind a proxy its own log is what can be believed."
_ALL = "uWSGI logs every request unless disable-logging is set; this is stdout."


def logs(given: Given, draft: Draft) -> None:
    """Puts all that is about logs."""
    _error_log(given, draft)
    loggers = _loggers(given, draft)
    syslog = given.last("log-syslog")
    if syslog is not None:
        note = "To the system's own socket or to syslog_addr, facility syslog_facility."
        draft.put("syslog", True, [syslog], note)
    disabled = given.on("disable-logging")
    slow = _slow(given, draft)
    if disabled is None:
        for row in ("log-4xx", "log-5xx"):
            if (option := given.on(row)) is not None:
                why = "Without disable-logging every request is logged."
                draft.leave([option], Fate.UNNEEDED, why)
        _access_log(loggers, draft)
    else:
        _chosen(disabled, slow, loggers, given, draft)
    _format(given, draft)


def _error_log(given: Given, draft: Draft) -> None:
    option, made = given.value("daemonize", path)
    logto, to = given.value("logto", path)
    if option is not None and made is not None:
        note = "Not under systemd, Docker or supervisor: they look after a process that stays."
        draft.put("daemon", True, [option], note)
    source, target = (logto, to) if to is not None else (option, made)
    if source is None or target is None:
        return
    if ":" in target.value and "/" not in target.value:
        why = "Logs are not sent to an address."
        draft.leave([source], Fate.ELSEWHERE, why, "`syslog` and `syslog_addr`")
        return
    draft.put("errorlog", target.value, [source], target.note)
    note = "uWSGI's log has what the application prints, too."
    draft.put("capture_output", True, [source], note)


def _loggers(given: Given, draft: Draft) -> list[tuple[Option, str]]:
    """Puts the error log; gives where requests are to be logged."""
    found = []
    for option in given.all("logger"):
        made = converted(option, _logger, draft)
        if made is None:
            continue
        if option.name == "logger":
            if "errorlog" not in draft:
                draft.put("errorlog", made.value, [option])
            else:
                draft.leave([option], Fate.MISSING, "There is one error log.", "syslog")
        else:
            found.append((option, made.value))
    return found


def _logger(option: Option) -> Made:
    value = text(option).value
    # `NAME KIND:WHERE` gives the logger a name.
    kind, _, where = value.rpartition(" ")[2].partition(":")
    if kind == "stdio":
        return Made("-")
    if kind == "file" and where:
        return Made(where)
    raise Unfit(f"a logger {kind!r} is not here; see `syslog`, `syslog_addr` and `logconfig`")


def _slow(given: Given, draft: Draft) -> tuple[Option, float | int] | None:
    option, made = given.value("log-slow", positive)
    if option is None or made is None:
        return None
    seconds = made.value / 1000
    seconds = int(seconds) if seconds == int(seconds) else seconds
    note = "A warning in the error log while the request still runs. uWSGI counts milliseconds."
    draft.put("log_slow", seconds, [option], note, made.note)
    return option, seconds


def _access_log(loggers: list[tuple[Option, str]], draft: Draft) -> None:
    if loggers:
        option, where = loggers[-1]
        draft.put("accesslog", where, [option])
        draft.leave([one for one, _ in loggers[:-1]], Fate.MISSING, "There is one access log.")
    elif "errorlog" in draft:
        log = draft.lines["errorlog"]
        draft.put("accesslog", log.value, log.sources, "uWSGI has one log for both.")
    else:
        draft.put("accesslog", "-", [], _ALL)


def _chosen(
    disabled: Option,
    slow: tuple[Option, float | int] | None,
    loggers: list[tuple[Option, str]],
    given: Given,
    draft: Draft,
) -> None:
    words = []
    sources = [disabled]
    for row, word in (("log-4xx", "4xx"), ("log-5xx", "5xx")):
        option = given.on(row)
        if option is not None:
            words.append(word)
            sources.append(option)
    if slow is not None:
        words.append(f"slow:{slow[1]}")
        sources.append(slow[0])
    if not words:
        draft.leave([disabled], Fate.UNNEEDED, "There is no access log unless `accesslog` is set.")
        why = "disable-logging leaves nothing to log."
        draft.leave([option for option, _ in loggers], Fate.UNNEEDED, why)
        return
    _access_log(loggers, draft)
    draft.lines["accesslog"].notes = [
        note for note in draft.lines["accesslog"].notes if note != _ALL
    ]
    draft.put("accesslog", draft.lines["accesslog"].value, sources)
    draft.put("access_log_when", ",".join(words), sources)


def _format(given: Given, draft: Draft) -> None:
    option, made = given.value("log-format", text)
    forwarded = given.on("log-x-forwarded-for")
    sources = [one for one in (option, forwarded) if one is not None]
    if "accesslog" not in draft:
        draft.leave(sources, Fate.UNNEEDED, "There is no access log.")
        return
    if made is not None:
        value, notes = translated(made.value, forwarded is not None)
        draft.put("access_log_format", value, sources, *notes)
    elif forwarded is not None:
        value = _DEFAULT_FORMAT.replace("%(h)s", "%({x-forwarded-for}i)s")
        draft.put("access_log_format", value, sources)
    if forwarded is not None:
        draft.put("access_log_format", draft.lines["access_log_format"].value, [], _FORWARDED)
