"""Numbers as people read them."""

from __future__ import annotations

from rgunicorn.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PHASES = {
    "waiting": "waits for Python",
    "app": "in the app",
    "sending": "sends",
    "answered": "overdue, answered",
    "coming": "comes in",
    "departing": "goes out",
}


def duration(seconds: float | None) -> str:
    """How long something took, in five characters or so: `850µs`, `12ms`, `1.25s`, `75.0s`."""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.01:
        return f"{seconds * 1e3:.1f}ms"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f}ms"
    return (
        f"{seconds:.2f}s"
        if seconds < 10
        else f"{seconds:.1f}s"
        if seconds < 100
        else since(seconds)
    )


def since(seconds: float | None) -> str:
    """How long something has been there: `12s`, `3:05`, `2:03:05`, `4d 02:03`."""
    if seconds is None:
        return "-"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02}:{minute:02}"
    if hours:
        return f"{hour}:{minute:02}:{second:02}"
    return f"{minute}:{second:02}" if minutes else f"{second}s"


def size(octets: float | None) -> str:
    """Bytes, in five characters or so: `812`, `45.1K`, `312M`."""
    if octets is None:
        return "-"
    value = float(octets)
    for unit in ("", "K", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            break
        value /= 1024
    return f"{value:.1f}{unit}" if unit and value < 99.95 else f"{value:.0f}{unit}"


def count(number: float | None) -> str:
    """How many: `12 345`."""
    return "-" if number is None else f"{number:,.0f}".replace(",", " ")


def rate(number: float | None) -> str:
    """How many per second: `0.3`, `12`, `12 345`."""
    if number is None:
        return "-"
    return f"{number:.1f}" if 0 < number < 9.95 else count(number)


def percent(share: float | None) -> str:
    """`35%`."""
    return "-" if share is None else f"{share * 100:.0f}%"


def request(it: Mapping[str, Any]) -> str:
    """Method and path of a request, whatever a client has sent, in one line."""
    return printable(f"{it['method']} {it['path']}{'...' if it.get('path_cut') else ''}")


def phase(it: Mapping[str, Any]) -> str:
    """Where a request stands."""
    word = _PHASES.get(it["phase"], it["phase"])
    return f"{word}, client left" if it.get("client_gone") else word


def state(worker: Mapping[str, Any]) -> str:
    """What a worker is at: `busy`; `busy →max_rss` when it is to be replaced."""
    return f"{worker['state']} →{worker['wish']}" if "wish" in worker else str(worker["state"])


def troubles(server: Mapping[str, Any]) -> list[str]:
    """What somebody should look into."""
    found = []
    if server["course"] != "serving":
        found.append(f"the server is {server['course']}")
    if server["reload_failed"]:
        found.append("the last reload failed")
    if server["backs_off"]:
        found.append("workers die too early: forked less often")
    return found


def ends(server: Mapping[str, Any]) -> str:
    """Why workers have ended: `reload 4, oom 1`."""
    return ", ".join(f"{reason} {n}" for reason, n in server["ends"].items() if n)


def title(server: Mapping[str, Any]) -> str:
    """The server in one line."""
    parts = [" ".join(["rgunicorn", *([server["version"]] if "version" in server else [])])]
    parts.append(f"pid {server['pid']}")
    if "uptime" in server:
        parts.append(f"up {since(server['uptime'])}")
    parts.append(server["course"])
    if "addresses" in server:
        parts.append(", ".join(server["addresses"]))
    return "  ".join(parts)
