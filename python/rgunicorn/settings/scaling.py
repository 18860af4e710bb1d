"""Settings of ours for a number of workers that follows the load."""

from __future__ import annotations

from rgunicorn.cpus import Auto
from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_pos_int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config


class MinWorkers(Setting):
    name = "min_workers"
    section = "rgunicorn"
    cli = ["--min-workers"]
    meta = "INT"
    validator = validate_pos_int
    default = 0
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
    desc = """\
        The most workers while the number follows the load; needs `min_workers`. 0 is off.

        The load is the part of all threads that run a request, measured once a second. Above three
        quarters, over three seconds, there will be as many workers as bring it to 60 %, twice as
        many as there are at most; at once if connections wait while everybody is busy. When one
        worker less would be busy for half of its time at most, for 30 seconds, one leaves: one
        that runs nothing, or nothing that has taken long, by the road of TERM. Each time the
        number has to go up again soon after it went down, those 30 seconds double, up to eight
        minutes. Every change is one line in the error log and one call of `nworkers_changed`.

        `workers` is the number to begin with; its default gives way to these limits. A HUP keeps
        the number that the load has made, TTIN and TTOU change it within the limits, and it
        follows the load from there. Nothing is changed while a reload is on its way.

        For the workers `sync` and `gthread`. A request that waits for others (a database, a
        service) keeps its thread busy: then more workers come, which may not be what that
        database needs. Memory has to suffice for `max_workers`.
        """


def refuse_range(cfg: Config) -> None:
    """Checks `min_workers`, `workers` and `max_workers` against each other.

    `workers` gives way with its default, and with `auto`.

    Raises:
        ConfigError: one is missing, or they are not in this order; names them with their values.
    """
    low, high = cfg.min_workers, cfg.max_workers
    if not low and not high:
        return
    if not low or not high:
        there, missing = ("min_workers", "max_workers") if low else ("max_workers", "min_workers")
        raise ConfigError(
            f"{there} = {low or high} has no {missing}: set both, or none for a fixed number."
        )
    if low > high:
        raise ConfigError(
            f"min_workers = {low} is more than max_workers = {high}: they are the fewest and the "
            "most workers."
        )
    number = cfg.settings["workers"]
    given = not number.has_default and not isinstance(number.value, Auto)
    if given and not low <= number.value <= high:
        raise ConfigError(
            f"workers = {number.value} is not from min_workers = {low} to max_workers = {high}: "
            "set workers to a number between them, or leave it out."
        )
