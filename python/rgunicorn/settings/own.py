"""Settings that Gunicorn does not have. A config file that uses them still works there: unknown
names in it are ignored."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_bool


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
