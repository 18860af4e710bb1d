"""How long things may take, and how much room requests have."""

from __future__ import annotations

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.processes import is_sync
from rgunicorn.uwsgi_import.values import Made, Off, positive

# The defaults of `timeout`, `limit_request_line`, `limit_request_field_size`, `keepalive`,
# `request_buffer_limit`; and the most that a request line may have, in both servers.
_TIMEOUT = 30
_LINE = 4094
_LONGEST_LINE = 8190
_FIELD = 8190
_BODY = 16 << 20


def deadlines(given: Given, draft: Draft) -> None:
    """Puts timeouts, keep-alive, and sizes of heads and bodies."""
    _request(given, draft)
    _mercy(given, draft)
    option, made = given.value("socket-timeout", positive)
    if option is not None and made is not None:
        for setting in ("client_header_timeout", "client_body_timeout", "client_write_timeout"):
            note = "A client that is slow holds no worker here; 60 is the default."
            draft.put(setting, made.value, [option], note, made.note)
    _keepalive(given, draft)
    _head(given, draft)
    _body(given, draft)


def _mercy(given: Given, draft: Draft) -> None:
    mercy = given.all("worker-reload-mercy")
    workers = [option for option in mercy if option.name == "worker-reload-mercy"]
    chosen = (workers or mercy)[-1:]
    draft.leave(
        [option for option in mercy if option not in chosen],
        Fate.UNNEEDED,
        f"{chosen[0].place} says it for the workers." if chosen else "",
    )
    for option in chosen:
        made = converted(option, positive, draft)
        if made is not None:
            draft.put("graceful_timeout", made.value, [option], made.note)


def _request(given: Given, draft: Draft) -> None:
    option, made = given.value("harakiri", positive)
    if option is not None and made is not None:
        draft.put(
            "request_timeout",
            made.value,
            [option],
            "The client gets a 504, the log has the stacks, and the worker's other requests are "
            "finished. Gunicorn does not know it.",
            made.note,
        )
        if is_sync(draft) and made.value >= _TIMEOUT:
            note = "It ends a whole sync worker, so it has to be longer than request_timeout."
            draft.put("timeout", made.value + _TIMEOUT, [option], note)
    elif is_sync(draft):
        note = (
            "uWSGI without harakiri lets a request take as long as it wants; timeout = 30, the "
            "default, would end it. Better: request_timeout = 60, and timeout = 90."
        )
        draft.put("timeout", 0, [], note)


def _keepalive(given: Given, draft: Draft) -> None:
    eleven = [option for option in given.all("http-socket") if option.name == "http11-socket"]
    option, made = given.value("http-keepalive", _kept)
    bound = draft.lines["bind"].sources if "bind" in draft else []
    if "protocol" in draft and draft.lines["protocol"].value == "uwsgi":
        if option is not None:
            draft.leave([option], Fate.UNNEEDED, "The uwsgi protocol keeps no connections.")
        return
    if option is not None and made is not None and made.value > 1:
        draft.put("keepalive", made.value, [option], made.note)
    sources = [one for one in (option, *eleven) if one is not None]
    sources = [one for one in sources if one is option or one in bound]
    if sources and is_sync(draft):
        note = "Without it the sync worker closes every connection after one request."
        draft.put("sync_keepalive", True, sources, note)
    elif option is not None and option not in _sources(draft, "keepalive"):
        draft.leave([option], Fate.UNNEEDED, "These workers keep connections by themselves.")


def _sources(draft: Draft, setting: str) -> list[Option]:
    return draft.lines[setting].sources if setting in draft else []


def _kept(option: Option) -> Made:
    if not option.is_on:
        raise Off("It is off, as it is for sync workers without the line.")
    return Made(1) if option.value is None or option.value.lower() == "true" else positive(option)


def _head(given: Given, draft: Draft) -> None:
    option, made = given.value("buffer-size", positive)
    if option is None or made is None:
        return
    if "protocol" in draft and draft.lines["protocol"].value == "uwsgi":
        why = "A uwsgi packet may always have 64 KiB, the most that it can have."
        draft.leave([option], Fate.UNNEEDED, why)
    elif made.value <= _LINE:
        why = (
            f"Heads may be larger by default: {_LINE} bytes for the line, {_FIELD} for each field."
        )
        draft.leave([option], Fate.UNNEEDED, why)
    else:
        note = "Bytes of the request line, 8190 at most; uWSGI counts the whole head."
        draft.put("limit_request_line", min(made.value, _LONGEST_LINE), [option], note, made.note)
        if made.value > _FIELD:
            note = "Bytes of each header field; uWSGI counts the whole head."
            draft.put("limit_request_field_size", made.value, [option], note)


def _body(given: Given, draft: Draft) -> None:
    option, made = given.value("post-buffering", positive)
    if option is None or made is None:
        return
    if made.value == 1:
        why = (
            "Bodies are always received before the application starts, up to request_buffer_limit."
        )
        draft.leave([option], Fate.UNNEEDED, why)
        return
    note = (
        "What is larger goes to a file, up to request_buffer_limit (16M by default); a larger body "
        "is read by the application as it arrives."
    )
    draft.put("request_buffer_size", made.value, [option], note, made.note)
    if made.value > _BODY:
        draft.put("request_buffer_limit", made.value, [option])
