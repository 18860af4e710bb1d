"""The first thing that a Python process of a watched environment runs: see watch.py.

No module: a .pth file executes it, with `INI` defined, before anything of the process's own.
"""

import fcntl
import os

CONFIG: str = globals()["INI"]


def measuring() -> bool:
    """Whether somebody measures: a run that was killed may have left the .pth file behind."""
    try:
        with open(CONFIG) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


if measuring():
    import coverage

    # The process may have been given an empty environment, and keeps what it was given.
    was = os.environ.get("COVERAGE_PROCESS_START")
    os.environ["COVERAGE_PROCESS_START"] = CONFIG
    coverage.process_startup()
    del os.environ["COVERAGE_PROCESS_START"]
    if was is not None:
        os.environ["COVERAGE_PROCESS_START"] = was
