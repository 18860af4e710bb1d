"""One measured point of a curve, and what curves there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """What is varied."""

    name: str
    title: str
    x: str
    """What the horizontal axis counts."""
    is_bytes: bool = False


CURVES = (
    Curve("open", "hello on up to 32 connections, the others open and idle", "open connections"),
    Curve("active", "hello, all connections active", "active connections"),
    Curve("fields", "hello, by header fields of the request", "header fields"),
    Curve("upload", "upload that the application reads in pieces", "body", is_bytes=True),
    Curve("generate", "response from a generator, pieces of 64 KiB", "body", is_bytes=True),
    Curve("file", "response by `wsgi.file_wrapper`", "body", is_bytes=True),
)
BODIES = tuple(curve.name for curve in CURVES if curve.is_bytes)


@dataclass(frozen=True)
class Point:
    """One server at one place of a curve."""

    curve: str
    server: str
    x: int
    requests: int
    seconds: float
    user_s: float
    system_s: float
    p50_ms: float | None
    p99_ms: float | None
    peak_bytes: int | None
    """Most memory (RSS) the serving processes had meanwhile; None where nobody looked."""

    @property
    def cpu_us(self) -> float:
        """CPU time per request in microseconds."""
        return (self.user_s + self.system_s) / self.requests * 1e6
