"""Where to listen and what is spoken there: `bind`, `protocol`, TLS, and who owns Unix sockets.

All listeners of a server speak one protocol. Where a file has several, HTTP with TLS goes before
HTTP, and that before uwsgi: clients of HTTP are people, the client of uwsgi is a proxy that can be
told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rgunicorn.uwsgi_import.addresses import address, is_local, is_unix
from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.given import Given, converted
from rgunicorn.uwsgi_import.option import Option
from rgunicorn.uwsgi_import.values import Made, Unfit, mode, text

_HTTP_ONLY = "The same server speaks HTTP already, and all its listeners speak one protocol."
_MIXED = {
    "uwsgi": "`proxy_pass` instead of `uwsgi_pass` in nginx, or a second server with "
    '`protocol = "uwsgi"`',
    "http": "nginx for the redirect, or a second server without TLS",
}
# `socket` speaks what `protocol` says.
_KINDS = {
    "uwsgi-socket": "uwsgi",
    "http-socket": "http",
    "http11-socket": "http",
    "http": "http",
    "httprouter": "http",
    "https": "https",
    "https-socket": "https",
}
_OWNER = re.compile(r"[\w.@$-]*(?::[\w.@$-]+)?", re.ASCII)


@dataclass
class _Listener:
    option: Option
    bind: str
    note: str
    tls: tuple[str, ...] = ()


def sockets(given: Given, draft: Draft) -> None:
    """Puts `bind` and all that depends on it."""
    shared_lines = given.all("shared-socket")
    shared = [option.text for option in shared_lines]
    default, said = _default_protocol(given, draft)
    found: dict[str, list[_Listener]] = {"https": [], "http": [], "uwsgi": []}
    for row in ("socket", "http-socket", "http", "https"):
        for option in given.all(row):
            kind = _KINDS.get(option.name, default)
            listener = _listener(option, kind, shared, draft)
            if listener is not None:
                found[kind].append(listener)
    spoken = next((kind for kind, listeners in found.items() if listeners), None)
    if said is not None and spoken != default:
        draft.leave([said], Fate.UNNEEDED, "There is no socket that it counts for.")
        said = None
    if spoken is not None:
        chosen = found.pop(spoken)
        _bind(chosen, shared_lines, draft)
        for other, listeners in found.items():
            options = [listener.option for listener in listeners]
            draft.leave(options, Fate.MISSING, _HTTP_ONLY, _MIXED.get(other, ""))
        if spoken == "uwsgi":
            _uwsgi(chosen, said, draft)
        elif said is not None:
            draft.put("protocol", "http", [said])
        if spoken == "https":
            _tls(chosen, draft)
    used = draft.lines["bind"].sources if "bind" in draft else []
    spare = [option for option in shared_lines if option not in used]
    draft.leave(spare, Fate.OPEN, "Not carried over: no socket refers to it by =N.")
    _unix(given, draft)


def _default_protocol(given: Given, draft: Draft) -> tuple[str, Option | None]:
    said = given.last("protocol")
    if said is None or said.text in ("uwsgi", ""):
        return "uwsgi", said
    if said.text in ("http", "http11"):
        return "http", said
    draft.leave([said], Fate.MISSING, "HTTP and uwsgi are spoken here.", "`uwsgi_pass` in nginx")
    return "uwsgi", None


def _listener(option: Option, kind: str, shared: list[str], draft: Draft) -> _Listener | None:
    def listener(option: Option) -> Made:
        if kind != "https":
            return address(option.text, shared)
        bound, *tls = option.text.split(",")
        if len(tls) < 2 or not all(tls[:2]):
            raise Unfit("it is not ADDRESS,CERTIFICATE,KEY")
        made = address(bound, shared)
        return Made(_Listener(option, made.value, made.note, tuple(tls)))

    made = converted(option, listener, draft)
    if made is None:
        return None
    if isinstance(made.value, _Listener):
        return made.value
    return _Listener(option, made.value, made.note)


def _bind(chosen: list[_Listener], shared: list[Option], draft: Draft) -> None:
    for listener in chosen:
        sources = [listener.option]
        if re.match(r"\s*=\d+", listener.option.text, re.ASCII):
            number = int(listener.option.text.partition(",")[0].strip()[1:])
            sources.append(shared[number])
        if "bind" in draft and listener.bind in draft.lines["bind"].value:
            draft.lines["bind"].sources += sources
            continue
        draft.put("bind", [listener.bind], sources, listener.note)


def _uwsgi(chosen: list[_Listener], said: Option | None, draft: Draft) -> None:
    sources = [listener.option for listener in chosen]
    note = "These sockets speak uwsgi: `uwsgi_pass` in nginx."
    draft.put("protocol", "uwsgi", [*sources, said] if said else sources, note)
    if not all(is_local(listener.bind) for listener in chosen):
        note = "Only peers listed here may speak uwsgi over TCP: add the addresses of your proxies."
        draft.propose("uwsgi_allow_ips", "127.0.0.1,::1", sources, note)


def _tls(chosen: list[_Listener], draft: Draft) -> None:
    first = chosen[0]
    sources = [first.option]
    certificate, key, ciphers, authority = (*first.tls, "", "")[:4]
    draft.put("certfile", certificate, sources)
    draft.put("keyfile", key, sources)
    if ciphers:
        draft.put("ciphers", ciphers, sources)
    if authority:
        # An exclamation mark: no connection without a certificate of the client.
        required = authority.startswith("!")
        draft.put("ca_certs", authority.removeprefix("!"), sources)
        draft.put("cert_reqs", 2 if required else 1, sources)
    others = [listener.option for listener in chosen[1:] if listener.tls[:4] != first.tls[:4]]
    why = "All listeners have the certificate of the first one; its address is in `bind`."
    draft.leave(others, Fate.OPEN, why)


def _unix(given: Given, draft: Draft) -> None:
    bound = draft.lines["bind"].value if "bind" in draft else []
    any_unix = any(is_unix(one) for one in bound)
    for row, setting, convert in (
        ("chmod-socket", "unix_socket_mode", mode),
        ("chown-socket", "unix_socket_owner", _owner),
    ):
        option = given.last(row)
        if option is None:
            continue
        if not any_unix:
            draft.leave([option], Fate.UNNEEDED, "There is no Unix socket.")
            continue
        made = converted(option, convert, draft)
        if made is not None:
            draft.put(setting, made.value, [option], made.note)


def _owner(option: Option) -> Made:
    made = text(option)
    if not _OWNER.fullmatch(made.value):
        raise Unfit(f"{option.text!r} is not USER:GROUP")
    return made
