"""What must be true of any payload: there is no second reading of it.

Each function returns what is wrong, by case; nothing is asserted here, because the same checks are
also run on a server that must fail them.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.server import Address
from harness.wait import until

from .conversation import Conversation, ask, converse, innocent
from .fronts import Front, Request
from .payload import Case, Seen

AT_ONCE = 16
"""Conversations side by side: an answer that goes to somebody else is seen."""

Faults = dict[str, list[str]]
"""What is wrong, by the name of the case."""


@dataclass
class Visit:
    """A case, tried."""

    case: Case
    number: int
    conversation: Conversation
    aside: Conversation
    """An innocent request on a connection of its own, afterwards."""


def visit_all(address: Address, cases: Sequence[Case], direct: bool = False) -> list[Visit]:
    """Tries every case, several at a time. `direct`: no proxy, so it is known what comes."""

    def visit(numbered: tuple[int, Case]) -> Visit:
        number, case = numbered
        payload, harmless = case.numbered(number), innocent(number)
        if not direct:
            there = converse(address, payload, number)
        elif case.refused:
            there = ask(address, payload)
        else:
            there = ask(address, payload + harmless, number)
        return Visit(case, number, there, ask(address, harmless, number))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(visit, enumerate(cases, start=1)))


def records(path: Path) -> dict[int, list[dict[str, str]]]:
    """What the application has seen, by the number in the target."""
    found = defaultdict(list)
    for line in path.read_text().splitlines():
        seen = json.loads(line)
        found[_number(seen["target"])].append(seen)
    return found


def direct_faults(visits: Sequence[Visit], record: Path) -> Faults:
    """Without a proxy: exactly what the tables say."""
    seen = records(record)
    faults: Faults = defaultdict(list)
    for visit in visits:
        said = faults[visit.case.id]
        wanted = [one.numbered(visit.number) for one in visit.case.taken]
        if not visit.case.refused:
            wanted.append(_innocent(visit.number))
        answers = [_seen(one) for one in visit.conversation.answers]
        if answers != wanted:
            said.append(f"the client was told of {answers}, not {wanted}")
        refusals = [visit.case.refused] if visit.case.refused else []
        if visit.conversation.refusals != refusals:
            said.append(f"refused with {visit.conversation.refusals}, not {refusals}")
        if visit.conversation.rubbish:
            said.append(f"no response: {visit.conversation.rubbish!r}")
        recorded = [_seen(one) for one in seen[visit.number]]
        if recorded != [*wanted, _innocent(visit.number)]:
            said.append(f"the application saw {recorded}, not {wanted} and the innocent one")
        said += [
            f"a name was mapped: {one}" for one in seen[visit.number] if one.get("x") == "evil"
        ]
        said += _aside_faults(visit)
    return _only_faults(faults)


def front_faults(
    visits: Sequence[Visit], front: Front, record: Path, patience: float = 20
) -> Faults:
    """Behind a proxy: what it forwarded is what we read, and everybody gets his own answers.

    A front logs a request when it is done with it: `patience` in seconds.
    """
    with contextlib.suppress(AssertionError):
        until(lambda: not _disputed(front, record), "the log to be complete", patience)
    names = {visit.number: visit.case.id for visit in visits}
    faults: Faults = defaultdict(list)
    for number, words in _disputed(front, record).items():
        faults[names.get(number, "nobody's")].append(words)
    seen = records(record)
    for number, ones in seen.items():
        smuggled = [one for one in ones if one["path"].startswith("/smuggled")]
        if smuggled:
            faults[names.get(number, "nobody's")].append(f"smuggled: {smuggled}")
        mapped = [one for one in ones if one.get("x") == "evil"]
        if mapped:
            faults[names.get(number, "nobody's")].append(f"a name was mapped: {mapped}")
    for visit in visits:
        said = faults[visit.case.id]
        answers = [one["target"] for one in visit.conversation.answers + visit.aside.answers]
        served = [one["target"] for one in seen.get(visit.number, [])]
        if visit.conversation.cut:
            rest = iter(served)
            in_order = all(target in rest for target in answers)
        else:
            in_order = answers == served
        if not in_order:
            said.append(f"served {served}, answered {answers}")
        if visit.conversation.rubbish:
            said.append(f"no response: {visit.conversation.rubbish!r}")
        said += _aside_faults(visit)
    return _only_faults(faults)


def _disputed(front: Front, record: Path) -> dict[int, str]:
    """By number, where the front's log and the application's disagree."""
    forwarded, answered, seen = Counter[Request](), Counter[Request](), Counter[Request]()
    for request, status in front.forwarded():
        forwarded[request] += 1
        answered[request] += status == "200"
    for ones in records(record).values():
        seen.update(Request(one["method"], one["target"], one["body"]) for one in ones)
    found = {}
    for request in (seen - forwarded) + (answered - seen):
        counts = f"forwarded {forwarded[request]}, answered {answered[request]}"
        found[_number(request.target)] = f"{request}: {counts}, served {seen[request]}"
    return found


def _aside_faults(visit: Visit) -> list[str]:
    if [_seen(one) for one in visit.aside.answers] == [_innocent(visit.number)]:
        return []
    return [f"an innocent request aside was answered {visit.aside}"]


def _innocent(number: int) -> Seen:
    return Seen("GET", f"/innocent/{number:04}")


def _seen(one: dict[str, str]) -> Seen:
    return Seen(one["method"], one["path"], one["body"].encode("latin-1"))


def _number(target: str) -> int:
    """Of `…/first/0042…`; 0 for what has none."""
    for part in target.replace("?", "/").replace("%", "/").split("/"):
        if len(part) >= 4 and part[:4].isascii() and part[:4].isdigit():
            return int(part[:4])
    return 0


def _only_faults(faults: Faults) -> Faults:
    return {name: said for name, said in faults.items() if said}
