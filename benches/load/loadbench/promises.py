"""All that was promised: the aims of single figures, and how cost and memory may grow."""

from __future__ import annotations

from collections.abc import Iterator

from loadbench.aims import Aim, aims
from loadbench.curves.point import CURVES, Curve
from loadbench.report import Document

# A request costs the same however many connections there are; caches that miss are allowed for.
_SAME = 2.0
# Twice as much of something costs twice as much; the same is allowed for, and the clock's ticks.
_LINEAR = 1.5
_CONSTANT_BYTES = 4 << 20


def promises(document: Document) -> list[Aim]:
    """Those that this document can say something about."""
    return [*aims(document), *_growth(document)]


def _growth(document: Document) -> Iterator[Aim]:
    for curve in CURVES:
        for server in document["servers"]:
            points = sorted(
                (
                    point
                    for point in document["curves"]
                    if (point["curve"], point["server"]) == (curve.name, server["name"])
                ),
                key=lambda point: point["x"],
            )
            if server["ours"] and len(points) > 1:
                what = f"{curve.title}, {server['title']}"
                yield _cost(what, curve, points)
                if curve.is_bytes:
                    yield _memory(what, points)


def _cost(what: str, curve: Curve, points: list[Document]) -> Aim:
    first, last = points[0], points[-1]
    span = f"{first['cpu_us']:,.2f} µs at {first['x']:,}, {last['cpu_us']:,.2f} µs at {last['x']:,}"
    if curve.name in ("open", "active"):
        costs = [point["cpu_us"] for point in points]
        times = max(costs) / min(costs) if min(costs) else float("inf")
        said = f"{times:.2f} x ({span})"
        aim = f"at most {_SAME:g} x between any two"
        return Aim(f"{what}: CPU per request does not grow", aim, said, times <= _SAME)
    steps = [_step(one, other) for one, other in zip(points, points[1:], strict=False)]
    steepest = max(steps)
    aim = f"no step above {_LINEAR:g} x its share"
    said = f"{steepest:.2f} x ({span})"
    return Aim(f"{what}: CPU grows no faster than linearly", aim, said, steepest <= _LINEAR)


def _step(one: Document, other: Document) -> float:
    """How many times faster than in proportion the cost grows from `one` to `other`."""
    if not one["cpu_us"]:
        return float("inf")
    return float((other["cpu_us"] / one["cpu_us"]) / (other["x"] / one["x"]))


def _memory(what: str, points: list[Document]) -> Aim:
    peaks = [point["peak_bytes"] for point in points]
    grown = peaks[-1] - peaks[0]
    said = f"{grown / 2**20:.1f} MiB ({peaks[0] / 2**20:.1f} to {peaks[-1] / 2**20:.1f})"
    aim = f"at most {_CONSTANT_BYTES / 2**20:g} MiB from the least body to the greatest"
    return Aim(f"{what}: memory does not grow with the body", aim, said, grown <= _CONSTANT_BYTES)
