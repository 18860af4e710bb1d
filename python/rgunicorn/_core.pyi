"""The Rust core."""

from typing import Any

def serve_sync(worker: Any) -> None:
    """Serves with one thread until `worker` is told to stop."""
