"""What the request parser lets pass, and which headers reach the application."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import (
    one_of,
    validate_bool,
    validate_list_string,
    validate_string_to_list,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def validate_header_map_behaviour(val: Any) -> str | None:
    """drop, refuse or dangerous."""
    if val is None:
        return None
    return one_of(val, ("drop", "refuse", "dangerous"), "header map behaviour")


class PasteGlobalConf(Setting):
    name = "raw_paste_global_conf"
    section = "Server Mechanics"
    cli = ["--paste-global"]
    action = "append"
    meta = "CONF"
    validator = validate_list_string
    default = []
    desc = r"""
        A `KEY=VALUE` for PasteDeploy's global configuration; may be repeated.

        A backslash before an equals sign makes it part of the key.
        """


class PermitObsoleteFolding(Setting):
    name = "permit_obsolete_folding"
    section = "Server Mechanics"
    cli = ["--permit-obsolete-folding"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Accept header fields that go on in the next line.

        RFC 9112 section 5.2 tells servers to refuse them, as parsers disagree about them. Only
        for old clients that can not be changed and only behind no proxy.
        """


class StripHeaderSpaces(Setting):
    name = "strip_header_spaces"
    section = "Server Mechanics"
    cli = ["--strip-header-spaces"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Accept blanks between a header's name and its colon.

        RFC 9112 section 5.1 tells servers to refuse them: such headers have been used to smuggle
        requests past proxies.
        """


class PermitUnconventionalHTTPMethod(Setting):
    name = "permit_unconventional_http_method"
    section = "Server Mechanics"
    cli = ["--permit-unconventional-http-method"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Accept methods that are very short, very long, or in lower case.

        Without it a method has 3 to 20 characters, no lower case and no `#`. With it any token
        of RFC 9110 will do.
        """


class PermitUnconventionalHTTPVersion(Setting):
    name = "permit_unconventional_http_version"
    section = "Server Mechanics"
    cli = ["--permit-unconventional-http-version"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Accept requests whose version is not HTTP/1.0 to HTTP/1.9.
        """


class CasefoldHTTPMethod(Setting):
    name = "casefold_http_method"
    section = "Server Mechanics"
    cli = ["--casefold-http-method"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Turn methods into upper case.

        HTTP's methods are case-sensitive, so `get` is not `GET` unless this is on. Methods with
        lower case also need `permit_unconventional_http_method`.
        """


class ForwarderHeaders(Setting):
    name = "forwarder_headers"
    section = "Server Mechanics"
    cli = ["--forwarder-headers"]
    validator = validate_string_to_list
    default = "SCRIPT_NAME,PATH_INFO"
    desc = """\
        Headers with an underscore that a trusted proxy may send, separated by commas.

        Names in upper case, or `*` for all. From peers that are not in `forwarded_allow_ips`
        they are treated as `header_map` says. SCRIPT_NAME tells under which path the proxy has
        mounted the application.
        """


class HeaderMap(Setting):
    name = "header_map"
    section = "Server Mechanics"
    cli = ["--header-map"]
    validator = validate_header_map_behaviour
    default = "drop"
    desc = """\
        What to do with header names that contain an underscore.

        `X_User` and `X-User` become the same `HTTP_X_USER`, so a client could slip the one past
        a proxy that checks the other. `drop` leaves such headers out, `refuse` answers 400,
        `dangerous` lets them pass.
        """
