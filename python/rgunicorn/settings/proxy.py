"""PROXY protocol and the uwsgi wire protocol: what may stand in front of, or for, HTTP."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_string, validate_string_to_addr_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def validate_proxy_protocol(val: Any) -> str:
    """off, v1, v2 or auto, with the usual words for no and yes."""
    if val is None:
        return "off"
    if isinstance(val, bool):
        return "auto" if val else "off"
    if not isinstance(val, str):
        raise TypeError("proxy_protocol must be string or bool")
    word = val.lower().strip()
    if word in ("off", "false", "0", "none"):
        return "off"
    if word in ("auto", "true", "1"):
        return "auto"
    if word in ("v1", "v2"):
        return word
    raise ValueError("proxy_protocol must be: off, v1, v2, or auto")


class ProxyProtocol(Setting):
    name = "proxy_protocol"
    section = "Server Mechanics"
    cli = ["--proxy-protocol"]
    meta = "MODE"
    nargs = "?"
    const = "auto"
    validator = validate_proxy_protocol
    default = "off"
    desc = """\
        Read the client's address from a PROXY line: `off`, `v1`, `v2` or `auto` (either).

        For load balancers that pass on TCP, such as HAProxy in TCP mode or an AWS NLB. The flag
        alone means `auto`; put the application before it or write `--proxy-protocol=auto`, as
        the next word is taken for its value. Only peers in `proxy_allow_ips` may send the line.
        """


class ProxyAllowFrom(Setting):
    name = "proxy_allow_ips"
    section = "Server Mechanics"
    cli = ["--proxy-allow-from"]
    validator = validate_string_to_addr_list
    default = "127.0.0.1,::1"
    desc = """\
        Peers that may send a PROXY line: addresses and networks, separated by commas.

        `*` believes every peer. Peers on Unix sockets are always believed.
        """


class Protocol(Setting):
    name = "protocol"
    section = "Server Mechanics"
    cli = ["--protocol"]
    meta = "STRING"
    validator = validate_string
    default = "http"
    desc = """\
        The protocol that clients speak: `http`, or `uwsgi` for nginx's uwsgi_pass.

        All variables of a packet reach the environ, but for `RAW_URI`, `SERVER_SOFTWARE` and names
        that begin with `wsgi.`, `gunicorn.` or `rgunicorn.`. It has at most 64 KiB and 1000
        variables; `limit_request_line`, `limit_request_fields`, `limit_request_field_size`,
        `header_map`, `forwarder_headers` and `secure_scheme_headers` are about HTTP and have no
        effect: the proxy has judged the request. See [nginx in front](deploy/nginx.md).

        For the workers `sync`, `gthread` and `gevent`. The servers of other packages (`asgi`,
        `tornado`, `gevent_pywsgi`, uvicorn's and aiohttp's workers) speak HTTP only.
        """


class UWSGIAllowFrom(Setting):
    name = "uwsgi_allow_ips"
    section = "Server Mechanics"
    cli = ["--uwsgi-allow-from"]
    validator = validate_string_to_addr_list
    default = "127.0.0.1,::1"
    desc = """\
        Peers that may speak the uwsgi protocol: addresses and networks, separated by commas.

        Such a peer says who the client is and who is logged in: name the proxies only. `*`
        believes every peer. Peers on Unix sockets are always believed.
        """
