"""Settings that Gunicorn does not have. A config file that uses them still works there: unknown
names in it are ignored."""

from __future__ import annotations

from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_bool, validate_duration, validate_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config


class SyncKeepalive(Setting):
    name = "sync_keepalive"
    section = "rgunicorn"
    cli = ["--sync-keepalive"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Let the sync worker keep connections open for further requests.

        Off, the sync worker answers with `Connection: close` as Gunicorn's does. On, an idle
        connection waits `keepalive` seconds for its next request without holding the worker:
        whichever request is ready first runs first. Saves the cost of a new connection for every
        request; leave it off behind a proxy whose own idle time you can not set below
        `keepalive`.
        """


class RequestBufferSize(Setting):
    name = "request_buffer_size"
    section = "rgunicorn"
    cli = ["--request-buffer-size"]
    meta = "SIZE"
    validator = validate_size
    default = "64K"
    desc = """\
        How much of a request body is kept in memory.

        The application starts when all of the body is there, so a slow upload holds no worker. A
        body that is larger than this goes to an unlinked file in `tmp_upload_dir`; 0 puts every
        body there. Each connection may use this much memory while its upload lasts.

        A number of bytes, or one with `K`, `M` or `G` (1024, 1024², 1024³ bytes; `KB` and `KiB`
        mean the same, in any case). `--print-config` shows bytes.
        """


class RequestBufferLimit(Setting):
    name = "request_buffer_limit"
    section = "rgunicorn"
    cli = ["--request-buffer-limit"]
    meta = "SIZE"
    validator = validate_size
    default = "16M"
    desc = """\
        How much of a request body is taken in before the application starts.

        Memory and file together. With a larger body the application starts when this much is
        there, and reads the rest as it arrives; from then on it is as slow as its client. 0 starts
        it with the head, for applications that handle uploads piece by piece.

        Written as `request_buffer_size`. A limit below the default of `request_buffer_size` holds
        for memory too; to set that one above the limit is an error.
        """


class ResponseBufferSize(Setting):
    name = "response_buffer_size"
    section = "rgunicorn"
    cli = ["--response-buffer-size"]
    meta = "SIZE"
    validator = validate_size
    default = "1M"
    desc = """\
        How much of a response is kept in memory for a client that reads slowly.

        What the client does not take at once waits here, so that the application can finish and
        go on with the next request. What is more goes to an unlinked file in `tmp_upload_dir`.

        Written as `request_buffer_size`.
        """


class ResponseBufferLimit(Setting):
    name = "response_buffer_limit"
    section = "rgunicorn"
    cli = ["--response-buffer-limit"]
    meta = "SIZE"
    validator = validate_size
    default = "64M"
    desc = """\
        How much of a response waits for its client, memory and file together.

        Past it the application waits as well, in its next `yield` or `write()`, until the client
        has taken enough. This keeps a response without an end from filling the disk. A file that
        the application returns as `wsgi.file_wrapper` is sent as it lies and does not count.

        Written as `request_buffer_size`. A limit below the default of `response_buffer_size` holds
        for memory too; to set that one above the limit is an error.
        """


class ClientHeaderTimeout(Setting):
    name = "client_header_timeout"
    section = "rgunicorn"
    cli = ["--client-header-timeout"]
    meta = "DURATION"
    validator = validate_duration
    default = 60
    desc = """\
        How long a client may send nothing before the head of its request is complete.

        Every byte starts the time anew. A connection that has sent nothing at all is closed, one
        in the middle of a head is answered with 408. Between two requests of a kept-alive
        connection `keepalive` counts instead. 0 is no limit.

        Seconds, `1.5` too, or a number with `ms`, `s`, `m`, `h` or `d` (`500ms`, `2m`).
        `--print-config` shows seconds.
        """


class ClientBodyTimeout(Setting):
    name = "client_body_timeout"
    section = "rgunicorn"
    cli = ["--client-body-timeout"]
    meta = "DURATION"
    validator = validate_duration
    default = 60
    desc = """\
        How long a client may send nothing before the body of its request is complete.

        Every byte starts the time anew. Before the application has started the client is answered
        with 408; after (see `request_buffer_limit`), `wsgi.input` raises an error. 0 is no limit.

        Written as `client_header_timeout`.
        """


class ClientWriteTimeout(Setting):
    name = "client_write_timeout"
    section = "rgunicorn"
    cli = ["--client-write-timeout"]
    meta = "DURATION"
    validator = validate_duration
    default = 60
    desc = """\
        How long a client may take nothing of a response that waits for it.

        Every byte taken starts the time anew. The connection is closed then, in the middle of the
        response; an application that still produces it is told as if the client had left. 0 is no
        limit.

        Written as `client_header_timeout`.
        """


def refuse_conflicts(cfg: Config) -> None:
    """Checks that values which are right alone are right together.

    A size that has its default gives way to a lower limit. One that somebody has set above the
    limit would not do what it says.

    Raises:
        ConfigError: a size is above its limit, the numbers of workers are in no order, or a
            directory is not there; names the settings with their values.
    """
    # Not above: settings are in the order in which their modules are read.
    from rgunicorn.settings.files import refuse_places
    from rgunicorn.settings.scaling import refuse_range
    from rgunicorn.settings.status import refuse_shared_address

    refuse_range(cfg)
    refuse_shared_address(cfg)
    refuse_places(cfg)
    for kind in ("request", "response"):
        size = cfg.settings[f"{kind}_buffer_size"]
        limit = cfg.settings[f"{kind}_buffer_limit"]
        if size.value > limit.value and not size.has_default:
            raise ConfigError(
                f"{size.name} = {size.value} is more than {limit.name} = {limit.value}: "
                f"raise {limit.name}, or set {size.name} to {limit.value} or less."
            )
