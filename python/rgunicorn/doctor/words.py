"""What the server says of a mistake at its start, as parts of a finding: one wording for both."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rgunicorn.doctor.subject import Subject


def parts(line: str, subject: Subject, cure_begins: str = ": ") -> tuple[str, str, str]:
    """Setting, reason and cure of a line `NAME = VALUE REASON: CURE.`

    Args:
        line: what the server would say.
        subject: with the names of all settings.
        cure_begins: what the cure comes after; the last one counts.
    """
    why, _, change = line.rstrip(".").rpartition(cure_begins)
    if not why:
        why, change = change, ""
    settings = subject.cfg.settings
    name = line.replace(":", " ").partition(" ")[0]
    if name not in settings:
        # A sentence may name it in words: "the number of worker connections".
        said = (known for known in settings if "_" in known and known.replace("_", " ") in line)
        name = next(said, "worker_class")
    return name, why, change or "leave one of the two out"


class Recorder:
    """Takes the place of a log, and keeps the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, message: str, *args: object) -> None:
        """Keeps a warning."""
        self.lines.append(message % args if args else message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        # Whatever else a log can say is no finding.
        return lambda *args, **kwargs: None
