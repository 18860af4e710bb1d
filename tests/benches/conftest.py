"""The load harness is no package of the project: its directory is put on the path here."""

import sys

from harness.server import TESTS

LOAD = TESTS.parent / "benches" / "load"
if str(LOAD) not in sys.path:
    sys.path.append(str(LOAD))
