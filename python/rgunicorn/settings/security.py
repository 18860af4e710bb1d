"""Limits on what a client may send as a request head."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_pos_int


class LimitRequestLine(Setting):
    name = "limit_request_line"
    section = "Security"
    cli = ["--limit-request-line"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 4094
    desc = """\
        Longest request line in bytes: method, target and version.

        Longer ones are answered with 414. 0 stands for no limit of its own; more than 8190 is
        taken as 8190. Raise it for applications with very long query strings.
        """


class LimitRequestFields(Setting):
    name = "limit_request_fields"
    section = "Security"
    cli = ["--limit-request-fields"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 100
    desc = """\
        How many header fields a request may have.

        More are answered with 431. 0 and everything above 32768 is taken as 32768.
        """


class LimitRequestFieldSize(Setting):
    name = "limit_request_field_size"
    section = "Security"
    cli = ["--limit-request-field_size"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 8190
    desc = """\
        Longest header field in bytes, name and line end included.

        Longer ones are answered with 431. 0 is taken as 8190. Raise it for large cookies or
        for tokens with many claims.
        """
