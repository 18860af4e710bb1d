"""One thing the doctor has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ERROR = "error"
"""The server would not start, or not serve."""
WARNING = "warning"
"""It would start, and do something else than the configuration says, or run at a risk."""
HINT = "hint"
"""Good to know."""

SEVERITIES = (ERROR, WARNING, HINT)


@dataclass(frozen=True)
class Finding:
    """What is wrong, where it comes from, and what to do about it."""

    severity: str
    check: str
    """Short name of the check, for programs that read `--json`."""
    why: str
    change: str
    """The line to write instead, or what to do as an instruction."""
    setting: str | None = None
    value: str | None = None
    """As Python writes it."""
    origin: str | None = None
    """`FILE:LINE`, a flag, an environment variable."""
    line: str | None = None
    """The line of the file as it is now."""
    details: str | None = None
    """A traceback."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
