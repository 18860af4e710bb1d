"""What Gunicorn's settings say about the head of an ASGI request: limits, trust, names."""

from __future__ import annotations

import functools
import ipaddress

from rgunicorn.workers.naming import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Scope = dict[str, Any]
    Fields = list[tuple[bytes, bytes]]

_SECURE = {"http": "https", "ws": "wss"}
_PLAIN = {"https": "http", "wss": "ws"}


class Refused(Exception):
    """A request that the application never sees.

    Args:
        status: of the answer.
        text: body of the answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


class Rules:
    """What settings say about the head of a request: limits, trust, names with underscores.

    Args:
        cfg: settings `limit_request_*`, `forwarded_allow_ips`, `secure_scheme_headers`,
            `forwarder_headers`, `header_map`.
    """

    def __init__(self, cfg: Any) -> None:
        # Clamped as src/http/limits.rs does it.
        self.line = min(cfg.limit_request_line, 8190) or 1 << 20
        self.fields = min(cfg.limit_request_fields, 32768) or 32768
        self.field_size = cfg.limit_request_field_size or 8190
        self._schemes = {
            name.lower().encode(): value.encode()
            for name, value in cfg.secure_scheme_headers.items()
        }
        self._forwarder = {name.upper().encode() for name in cfg.forwarder_headers}
        self._underscores: str = cfg.header_map
        self._anybody = "*" in cfg.forwarded_allow_ips
        self._networks = [
            ipaddress.ip_network(allowed) for allowed in cfg.forwarded_allow_ips if allowed != "*"
        ]
        self._names = Names.of(cfg)
        self._id_field = self._names.header.lower().encode() if self._names else None
        self._is_listed = functools.lru_cache(maxsize=1024)(self._look_up)

    @property
    def head(self) -> int:
        """The most bytes that a head within the limits can have."""
        return self.line + self.fields * (self.field_size + 2) + 4

    def apply(self, scope: Scope) -> None:
        """Changes `scope` as the settings say.

        Raises:
            Refused: the request is not one for the application.
        """
        fields: Fields = scope["headers"]
        self._check_limits(scope, fields)
        client = scope.get("client")
        # Only local processes reach a unix socket.
        trusted = client is None or self._anybody or self._is_listed(client[0])
        # A copy: what comes after the head is none of the application's.
        scope["headers"] = [
            (name, value)
            for name, value in fields
            if b"_" not in name or self._may_pass(name, trusted)
        ]
        if trusted:
            self._set_scheme(scope, fields)
        if self._names is not None:
            self._name(self._names, scope)

    def _name(self, names: Names, scope: Scope) -> None:
        """Gives the request its name, in place of what its client may have called it."""
        sent = [value.decode("latin-1") for name, value in scope["headers"] if self._is_id(name)]
        headers = [field for field in scope["headers"] if not self._is_id(field[0])]
        request_id = names.name(scope.get("client"), sent)
        if request_id is not None:
            headers.append((self._id_field, request_id.encode()))
            scope["rgunicorn.request_id"] = request_id
        scope["headers"] = headers

    def sign(self, fields: Any, request_id: str) -> list[tuple[bytes, bytes]]:
        """The fields of a response with the name of its request, unless it is there."""
        signed = list(fields)
        if self._id_field and not any(bytes(it).lower() == self._id_field for it, _ in signed):
            signed.append((self._id_field, request_id.encode()))
        return signed

    def _is_id(self, name: bytes) -> bool:
        return name.replace(b"_", b"-") == self._id_field

    def _check_limits(self, scope: Scope, fields: Fields) -> None:
        target = len(scope["raw_path"]) + len(scope["query_string"]) + bool(scope["query_string"])
        if len(scope.get("method", "GET")) + target + len("  HTTP/1.1") > self.line:
            raise Refused(414, "Request line is too large")
        if len(fields) > self.fields:
            raise Refused(431, "Too many request header fields")
        if any(len(name) + len(value) + len(": \r\n") > self.field_size for name, value in fields):
            raise Refused(431, "Request header field is too large")

    def _may_pass(self, name: bytes, trusted: bool) -> bool:
        if trusted and (b"*" in self._forwarder or name.upper() in self._forwarder):
            return True
        if self._underscores == "refuse":
            raise Refused(400, "Invalid header name")
        return self._underscores == "dangerous"

    def _set_scheme(self, scope: Scope, fields: Fields) -> None:
        said = {value == self._schemes[name] for name, value in fields if name in self._schemes}
        if len(said) > 1:
            raise Refused(400, "Contradictory scheme headers")
        if said:
            schemes = _SECURE if said.pop() else _PLAIN
            scope["scheme"] = schemes.get(scope["scheme"], scope["scheme"])

    def _look_up(self, host: str) -> bool:
        try:
            address: Any = ipaddress.ip_address(host)
        except ValueError:
            return False
        # An IPv4 peer of an IPv6 listener is the same machine.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)
