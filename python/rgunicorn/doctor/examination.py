"""All checks, in the order of the report."""

from __future__ import annotations

from rgunicorn.doctor import application, names, network, process, standing
from rgunicorn.doctor.finding import SEVERITIES, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rgunicorn.doctor.machine import Machine
    from rgunicorn.doctor.subject import Subject

    Check = Callable[[Subject, Machine], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    application.imported,
    standing.refused,
    standing.unreadable,
    names.unknown_names,
    standing.worker_warns,
    standing.ignored,
    standing.overruled,
    standing.deprecated,
    process.identity,
    process.numbers,
    process.times,
    process.development,
    process.files,
    network.trust,
    network.status,
    network.limits,
    network.files,
    network.tls,
    application.threads,
    application.django,
)


def examine(subject: Subject, machine: Machine) -> list[Finding]:
    """What all checks find, the worst first."""
    found = [*subject.failures]
    # Half of a configuration says nothing about risks.
    for check in CHECKS if subject.complete else (names.unknown_names,):
        found.extend(check(subject, machine))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
