"""Settings of ours for a number of workers that follows the load."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import validate_pos_int

_UNBUILT = Unbuilt(
    "a number of workers that follows the load", "set workers, or send TTIN and TTOU"
)


class MinWorkers(Setting):
    name = "min_workers"
    section = "rgunicorn"
    cli = ["--min-workers"]
    meta = "INT"
    validator = validate_pos_int
    default = 0
    unbuilt = _UNBUILT
    desc = """\
        The fewest workers while the number follows the load; needs `max_workers`. 0 is off.
        """


class MaxWorkers(Setting):
    name = "max_workers"
    section = "rgunicorn"
    cli = ["--max-workers"]
    meta = "INT"
    validator = validate_pos_int
    default = 0
    unbuilt = _UNBUILT
    desc = """\
        The most workers while the number follows the load; needs `min_workers`. 0 is off.
        """
