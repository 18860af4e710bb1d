"""Settings of ours for replacing workers while they serve."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_duration, validate_size


class MaxRss(Setting):
    name = "max_rss"
    section = "rgunicorn"
    cli = ["--max-rss"]
    meta = "SIZE"
    validator = validate_size
    default = 0
    desc = """\
        A worker whose memory is above this is replaced.

        What counts is resident memory without what it shares with others, such as the application
        with `preload_app`. Workers look at it at most once a second, the sync worker between
        requests, classes of others when they call `notify`. The successor is forked first; the
        worker serves until that is ready, then leaves as on TERM. One worker is replaced at a time.
        The error log says what it had, with RSS and PSS. 0 is off.

        Written as `request_buffer_size`.
        """


class MaxRssHard(Setting):
    name = "max_rss_hard"
    section = "rgunicorn"
    cli = ["--max-rss-hard"]
    meta = "SIZE"
    validator = validate_size
    default = 0
    desc = """\
        A worker whose memory is above this leaves at once.

        It finishes what it has begun and takes nothing more, whether its successor is ready or not.
        Measured as for `max_rss`, and the limit when successors can not boot. 0 is off.

        Written as `request_buffer_size`.
        """


class MaxWorkerLifetime(Setting):
    name = "max_worker_lifetime"
    section = "rgunicorn"
    cli = ["--max-worker-lifetime"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        A worker that was forked longer ago than this is replaced, as with `max_rss`; 0 is off.

        Written as `client_header_timeout`.
        """


class MaxWorkerLifetimeJitter(Setting):
    name = "max_worker_lifetime_jitter"
    section = "rgunicorn"
    cli = ["--max-worker-lifetime-jitter"]
    meta = "DURATION"
    validator = validate_duration
    default = 0
    desc = """\
        A random time up to this is added to `max_worker_lifetime` of each worker.

        Written as `client_header_timeout`.
        """
