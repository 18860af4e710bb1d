"""Settings of ours for looking inside: the status pages."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import validate_string


class StatusBind(Setting):
    name = "status_bind"
    section = "rgunicorn"
    cli = ["--status-bind"]
    meta = "ADDRESS"
    validator = validate_string
    default = None
    unbuilt = Unbuilt("the status pages", "use statsd_host, and a health check of the application")
    desc = """\
        Where the status pages are served: `HOST:PORT`, or `unix:PATH`.

        A small process of its own answers there, also when every worker is busy: `/healthz` (the
        server is alive), `/readyz` (it can take requests), `/metrics` (Prometheus) and `/stats`
        (JSON, as uwsgitop reads it). It can only be read. Whoever can connect can read it, so bind
        it to an address that only your monitoring reaches.
        """
