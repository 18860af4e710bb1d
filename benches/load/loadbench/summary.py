"""Medians over rounds: from samples to the numbers of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from loadbench.timed import Sample


@dataclass(frozen=True)
class Row:
    """One server in one scenario: medians, and the spread of what matters most."""

    server: str
    scenario: str
    rounds: int
    requests: int
    requests_per_s: float
    requests_per_cpu_s: float
    cpu_us: float
    cpu_us_min: float
    cpu_us_max: float
    user_us: float
    system_us: float
    busy: float
    """Share of its core the server used. Below 1 the client was the limit: its requests/s say
    nothing about the server then."""
    foreign: float
    """Largest share of that core that other programs took in one of the rounds."""
    p50_ms: float
    p99_ms: float
    pss_bytes: float
    kept_alive: bool
    file_wrapper: bool
    socket_errors: int


def summarise(samples: list[Sample]) -> list[Row]:
    """One row per (scenario, server), in the order in which they first ran."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.scenario, sample.server), []).append(sample)
    return [_row(group) for group in groups.values()]


def _row(group: list[Sample]) -> Row:
    cpu = [one.cpu_us for one in group]
    return Row(
        server=group[0].server,
        scenario=group[0].scenario,
        rounds=len(group),
        requests=sum(one.requests for one in group),
        requests_per_s=median(one.requests / one.seconds for one in group),
        requests_per_cpu_s=1e6 / median(cpu),
        cpu_us=median(cpu),
        cpu_us_min=min(cpu),
        cpu_us_max=max(cpu),
        user_us=median(one.user_s / one.requests * 1e6 for one in group),
        system_us=median(one.system_s / one.requests * 1e6 for one in group),
        busy=median((one.user_s + one.system_s) / one.seconds for one in group),
        foreign=max(one.foreign_s / one.seconds for one in group),
        p50_ms=median(one.p50_ms for one in group),
        p99_ms=median(one.p99_ms for one in group),
        pss_bytes=median(one.pss_bytes for one in group),
        kept_alive=all(one.kept_alive for one in group),
        file_wrapper=all(one.file_wrapper for one in group),
        socket_errors=sum(one.socket_errors for one in group),
    )


@dataclass(frozen=True)
class Duel:
    """Two builds in one scenario. A ratio is B's figure divided by A's in the same round."""

    scenario: str
    rounds: int
    cpu_ratio: float
    cpu_ratio_min: float
    cpu_ratio_max: float
    cpu_best_ratio: float
    """The cheapest round of B by the cheapest of A: what disturbs a round only makes it dearer."""
    user_ratio: float
    user_best_ratio: float
    rate_ratio: float
    rate_ratio_min: float
    rate_ratio_max: float


def duels(samples: list[Sample], first: str, second: str) -> list[Duel]:
    """One per scenario: medians and spread of the rounds in which both were measured."""
    found = {(one.scenario, one.round, one.server): one for one in samples}
    pairs: dict[str, list[tuple[Sample, Sample]]] = {}
    for (scenario, number, server), one in found.items():
        other = found.get((scenario, number, second))
        if server == first and other is not None:
            pairs.setdefault(scenario, []).append((one, other))
    return [_duel(scenario, group) for scenario, group in pairs.items()]


def _duel(scenario: str, group: list[tuple[Sample, Sample]]) -> Duel:
    cpu = [b.cpu_us / a.cpu_us for a, b in group]
    users = [(a.user_s / a.requests, b.user_s / b.requests) for a, b in group]
    rate = [(b.requests / b.seconds) / (a.requests / a.seconds) for a, b in group]
    return Duel(
        scenario=scenario,
        rounds=len(group),
        cpu_ratio=median(cpu),
        cpu_ratio_min=min(cpu),
        cpu_ratio_max=max(cpu),
        cpu_best_ratio=min(b.cpu_us for _, b in group) / min(a.cpu_us for a, _ in group),
        user_ratio=median(b / a for a, b in users),
        user_best_ratio=min(b for _, b in users) / min(a for a, _ in users),
        rate_ratio=median(rate),
        rate_ratio_min=min(rate),
        rate_ratio_max=max(rate),
    )
