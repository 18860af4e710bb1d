"""Where the harness finds and keeps its things."""

import os
from pathlib import Path

LOAD = Path(__file__).resolve().parent.parent
REPOSITORY = LOAD.parent.parent
APPS = LOAD / "apps"
RESPONDER = LOAD / "responder"
WSGI_CALL = REPOSITORY / "benches" / "wsgi_call"
# Virtual environments, builds, run directories, results: git-ignored, safe to delete. Environments
# hold absolute paths, so another checkout that is to use them names their place.
BENCH = Path(os.environ.get("RGUNICORN_BENCH_DIR") or LOAD / ".bench").absolute()
