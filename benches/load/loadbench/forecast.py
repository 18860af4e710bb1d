"""How long a run will still take: what each step was thought to cost, corrected by what it did."""

from __future__ import annotations

import time

# Before that much has been done, its pace says little.
_TRUSTED_S = 30.0


class Forecast:
    """Counts down the seconds of a plan; `total_s` is what all its steps were thought to take."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self._planned = 0.0
        self._started = time.monotonic()

    def done(self, planned_s: float) -> None:
        """A step is over that was thought to take `planned_s`."""
        self._planned += planned_s

    def left_s(self) -> float:
        """Seconds that the rest will take, at the pace of what is over."""
        rest = max(0.0, self.total_s - self._planned)
        if self._planned < _TRUSTED_S:
            return rest
        return rest * (time.monotonic() - self._started) / self._planned
