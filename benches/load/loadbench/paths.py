"""Where the harness finds and keeps its things."""

from pathlib import Path

LOAD = Path(__file__).resolve().parent.parent
REPOSITORY = LOAD.parent.parent
APPS = LOAD / "apps"
RESPONDER = LOAD / "responder"
# Virtual environments, builds, run directories, results: git-ignored, safe to delete.
BENCH = LOAD / ".bench"
