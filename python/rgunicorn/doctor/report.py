"""Findings as text and as JSON."""

from __future__ import annotations

import json
import textwrap

from rgunicorn.doctor.finding import SEVERITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rgunicorn.doctor.finding import Finding

WIDTH = 100


def as_text(found: Sequence[Finding]) -> str:
    """A block for each finding, and a last line with the counts."""
    return "\n\n".join([*map(_block, found), _summary(found)])


def as_json(found: Sequence[Finding]) -> str:
    """One object: `findings`, and `errors`, `warnings`, `hints` with their counts."""
    counts = {f"{severity}s": _count(found, severity) for severity in SEVERITIES}
    return json.dumps({**counts, "findings": [finding.as_dict() for finding in found]}, indent=2)


def _block(finding: Finding) -> str:
    about = finding.setting or finding.check
    if finding.setting is not None and finding.value is not None:
        about += f" = {finding.value}"
    where = f"  ({finding.origin})" if finding.origin else ""
    lines = [f"{finding.severity}: {about}{where}"]
    if finding.line is not None:
        lines.append(f"    now:    {finding.line}")
    lines.append(_field("why:", finding.why))
    lines.append(_field("change:", finding.change))
    if finding.details:
        lines.append(textwrap.indent(finding.details.rstrip(), "    | "))
    return "\n".join(lines)


def _field(name: str, text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=f"    {name:<8}",
        subsequent_indent=" " * 12,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(found: Sequence[Finding]) -> str:
    if not found:
        return "Nothing to say: this configuration is sound."
    words = []
    for severity in SEVERITIES:
        number = _count(found, severity)
        if number:
            words.append(f"{number} {severity}{'s' if number > 1 else ''}")
    return ", ".join(words) + "."


def _count(found: Sequence[Finding], severity: str) -> int:
    return sum(finding.severity == severity for finding in found)
