"""What requests are called (`request_id_header`), for worker classes with a loop of their own."""

from __future__ import annotations

from rgunicorn import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Names:
    """Says what requests are called, for servers that read them themselves.

    Args:
        cfg: settings `request_id_header`, `forwarded_allow_ips` and what `_core.Rules` reads.
    """

    def __init__(self, cfg: Any) -> None:
        self.header: str = cfg.request_id_header
        self._rules = _core.Rules(cfg)

    @classmethod
    def of(cls, cfg: Any) -> Names | None:
        """None when requests have no names."""
        return cls(cfg) if getattr(cfg, "request_id_header", None) else None

    def name(self, peer: Any, sent: Iterable[str]) -> str | None:
        """The name of a request.

        Args:
            peer: its address: a tuple, or something else for a unix socket.
            sent: the values of the header.

        Returns:
            None when the kernel has no random numbers.
        """
        host = str(peer[0]) if isinstance(peer, (tuple, list)) else None
        return self._rules.request_id(host, [it.encode("latin-1", "replace") for it in sent])


def named(req: Any, cfg: Any) -> tuple[str, str] | None:
    """The field that says what a request is called; None when it has no name, or is None itself."""
    name = getattr(req, "request_id", None)
    return None if name is None or cfg is None else (cfg.request_id_header, name)


def called(req: Any) -> str:
    """What a request is called, for the end of a line in the error log."""
    name = getattr(req, "request_id", None)
    return "" if name is None else f" (id: {name})"


def tell(environ: dict[str, Any], field: tuple[str, str] | None) -> None:
    """Puts the name of a request into its environ."""
    if field is not None:
        environ[f"HTTP_{field[0].upper().replace('-', '_')}"] = field[1]
        environ["rgunicorn.request_id"] = field[1]


def sign(headers: list[tuple[bytes, bytes]], field: tuple[str, str] | None) -> None:
    """Adds the name of a request to the header fields of its response, unless it is there."""
    if field is not None:
        name = field[0].encode()
        if not any(key.lower() == name.lower() for key, _ in headers):
            headers.append((name, field[1].encode()))


def take(server: Any, peer: Any, headers: Any) -> tuple[str, str] | None:
    """The field that says what a request is called, instead of what its client may have called it.

    Args:
        server: has `names`, if requests have any.
        peer: as for `Names.name`.
        headers: of the request; the client's own is removed.
    """
    names: Names | None = getattr(server, "names", None)
    if names is None:
        return None
    name = names.name(peer, headers.get_all(names.header, []))
    del headers[names.header]
    return None if name is None else (names.header, name)
