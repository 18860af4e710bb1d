"""Equality with a difference a person can read."""

from __future__ import annotations

import difflib
import pprint


def same(actual: object, expected: object, what: str = "") -> None:
    """Fails with a unified difference of both values, one line or one item a line."""
    if actual == expected:
        return
    lines = difflib.unified_diff(
        _lines(expected), _lines(actual), "expected", "actual", lineterm="", n=2
    )
    raise AssertionError("\n".join([what or "not the same", *lines]))


def _lines(value: object) -> list[str]:
    if isinstance(value, bytes):
        return [repr(line) for line in value.splitlines(keepends=True)]
    if isinstance(value, str):
        return [repr(line) for line in value.splitlines(keepends=True)]
    if isinstance(value, dict):
        return [f"{key!r}: {value[key]!r}" for key in sorted(value, key=repr)]
    if isinstance(value, list):
        return [repr(item) for item in value]
    return pprint.pformat(value).splitlines()
