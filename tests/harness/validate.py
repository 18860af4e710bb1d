"""What `wsgiref.validate` says about a server, read from its log."""

from __future__ import annotations

import re

# A complaint is an AssertionError raised inside one of the validator's checks, a warning, or the
# sentence it prints for an iterator nobody closed. An app's own error also passes through the
# validator's frames, but not through these.
COMPLAINT = re.compile(
    r"in (?:assert_|check_\w+)\n|WSGIWarning|garbage collected without being closed"
)


def assert_no_complaints(log: str) -> None:
    """Fails when the validator caught the server at anything."""
    found = COMPLAINT.search(log)
    if found:
        around = log[max(0, found.start() - 2000) : found.end() + 500]
        raise AssertionError(f"wsgiref.validate complained:\n{around}")
