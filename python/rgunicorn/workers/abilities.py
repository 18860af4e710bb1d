"""`Abilities`: what a worker class can do, as the master and the checks ask it before there is a
worker."""

from __future__ import annotations

from rgunicorn.workers import fitness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config


class Abilities:
    """The answers of a class that says nothing: it can do what Gunicorn's contract has, no more.

    `Worker` is such a class; subclasses override what they can do beyond that.
    """

    @classmethod
    def speaks_uwsgi(cls) -> bool:
        """Whether the core reads its requests, or `gunicorn.http.get_parser`: both know uwsgi. A
        class of one's own that uses `get_parser` says so by an override."""
        return False

    @classmethod
    def capacity(cls, cfg: Config) -> int:
        """How many requests it runs at a time; 0 when it does not tell the master how busy it is,
        for `min_workers` and `max_workers`."""
        return 0

    @classmethod
    def times_requests(cls) -> bool:
        """Whether `request_timeout` and `log_slow` count: the core runs its requests, or
        `workers.exchange` does, with a `timekeeper`."""
        return False

    @classmethod
    def names_requests(cls) -> bool:
        """Whether `request_id_header` counts: requests are read by the core or `get_parser`, or
        the class names them by `naming.Names`."""
        return False

    @classmethod
    def logs_requests(cls) -> bool:
        """Whether access lines are those of `Logger.access`. A class of one's own that calls it
        says so by an override."""
        return False

    @classmethod
    def serves_files(cls) -> bool:
        """Whether `static_map` counts: the core answers, or `run` calls `put_files_first`."""
        return False

    @classmethod
    def refusals(cls, cfg: Config) -> list[str]:
        """What of the configuration this worker can not do, as sentences with what to do
        instead."""
        return fitness.refusals(cls, cfg)

    @classmethod
    def flight_room(cls, cfg: Config) -> int:
        """How many requests such a worker can run at once: all of them shall be noted."""
        return max(cfg.threads, cfg.worker_connections)

    @classmethod
    def vault_room(cls, cfg: Config) -> int:
        """How many connections of such a worker outlive it when it is killed."""
        return 0

    @classmethod
    def slates(cls, cfg: Config) -> int:
        """How many threads of such a worker hold access lines back until they have time."""
        return 0
