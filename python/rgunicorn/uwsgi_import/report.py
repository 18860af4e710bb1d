"""What the command says of a config file that it has written."""

from __future__ import annotations

from rgunicorn.uwsgi_import.draft import Draft, Fate
from rgunicorn.uwsgi_import.writing import cited, plain

# What is left to do, and what can be forgotten.
TO_DO = (Fate.OPEN, Fate.MISSING, Fate.ELSEWHERE, Fate.UNKNOWN)


def as_text(draft: Draft, title: str) -> str:
    """The summary: a line of numbers, what there is to do, and what is not needed.

    Args:
        draft: what was written.
        title: what it is made of.
    """
    counts = [f"{len(draft.lines)} settings"]
    for fate in Fate:
        number = sum(left.fate is fate for left in draft.left)
        if number:
            heading = fate.value[0].lower() + fate.value[1:]
            counts.append(f"{number} {heading}")
    lines = [plain(f"{title}: " + "; ".join(counts))]
    for fate in Fate:
        left = [one for one in draft.left if one.fate is fate]
        if left:
            lines += ["", f"{fate.value}:"]
        for one in left:
            if fate is Fate.UNNEEDED:
                lines.append(plain(f"  {cited(one.option)} - {one.why}"))
                continue
            lines.append(plain(f"  {cited(one.option)}"))
            lines.append(plain(f"      {one.why}"))
            if one.instead:
                lines.append(plain(f"      Instead: {one.instead}."))
    lines += ["", *(plain(remark) for remark in draft.remarks)]
    return "\n".join(lines)


def is_complete(draft: Draft) -> bool:
    """Whether nothing is left to do."""
    return not any(left.fate in TO_DO for left in draft.left)
