"""Gunicorn's settings, as tests/config/gunicorn_settings.json has them."""

from __future__ import annotations

import json
from typing import Any

from harness.server import TESTS

FACTS: dict[str, dict[str, Any]] = {
    fact["name"]: fact for fact in json.loads((TESTS / "config/gunicorn_settings.json").read_text())
}
NAMES = list(FACTS)
"""In Gunicorn's order."""
