"""Histograms as the scoreboard has them, and what a reader wants to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from rgunicorn._core import HISTOGRAM_BOUNDS_NS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rgunicorn._core import HistogramView


@dataclass(frozen=True)
class Times:
    """How often something took how long.

    Args:
        buckets: how many, by `HISTOGRAM_BOUNDS_NS`, not added up; the last is for all above.
        sum_ns: all of them together, nanoseconds.
    """

    buckets: tuple[int, ...] = ()
    sum_ns: int = 0

    @classmethod
    def of(cls, view: HistogramView) -> Times:
        """As the scoreboard has it."""
        return cls(tuple(view["buckets"]), view["sum_ns"])

    def __add__(self, other: Times) -> Times:
        if not self.buckets or not other.buckets:
            return self if self.buckets else other
        pairs = zip(self.buckets, other.buckets, strict=True)
        return Times(tuple(a + b for a, b in pairs), self.sum_ns + other.sum_ns)

    def since(self, before: Times | None) -> Times:
        """What has come since `before`. Numbers that went back, as the two were not taken at once,
        are none."""
        if before is None or not before.buckets:
            return self
        pairs = zip(self.buckets, before.buckets, strict=True)
        return Times(tuple(max(0, a - b) for a, b in pairs), max(0, self.sum_ns - before.sum_ns))

    @property
    def count(self) -> int:
        """How many."""
        return sum(self.buckets)

    @property
    def mean(self) -> float | None:
        """Seconds; None when there are none."""
        return self.sum_ns / self.count / 1e9 if self.count else None

    def quantile(
        self, share: float, bounds_ns: Sequence[int] = HISTOGRAM_BOUNDS_NS
    ) -> float | None:
        """Seconds that `share` of them did not exceed, as near as the buckets tell: evenly spread
        in each. What is above the last bound counts as just that. None when there are none.

        Args:
            share: 0 to 1.
            bounds_ns: upper bounds of the buckets.
        """
        wanted = share * self.count
        below = 0
        for n, count in enumerate(self.buckets):
            if count and below + count >= wanted:
                if n >= len(bounds_ns):
                    return bounds_ns[-1] / 1e9
                low = bounds_ns[n - 1] if n else 0
                part = max(0.0, wanted - below) / count
                return (low + (bounds_ns[n] - low) * part) / 1e9
            below += count
        return None

    def document(self) -> dict[str, float | int]:
        """`count`, and in seconds `mean`, `p50`, `p90`, `p99`; those only when there are any."""
        found: dict[str, float | int] = {"count": self.count}
        if (mean := self.mean) is not None:
            found["mean"] = mean
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
                if (value := self.quantile(share)) is not None:
                    found[name] = value
        return found
