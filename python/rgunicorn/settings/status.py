"""Settings of ours for looking inside: the status pages."""

from __future__ import annotations

from rgunicorn import util
from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config

_ALLOWED = "allowed are HOST:PORT, [IPV6]:PORT and unix:PATH, one of them"
_EVERYWHERE = ("", "0.0.0.0", "::")


def validate_status_bind(val: Any) -> str | None:
    """An address of the forms that `bind` has, with a port; None or empty text is none."""
    text = validate_string(val)
    if not text:
        return None
    if text.startswith("fd://"):
        raise ValueError(
            f"Invalid address: {text!r}; the status process gets no inherited socket: {_ALLOWED}"
        )
    try:
        address = util.parse_address(text, default_port="")
    except RuntimeError as exc:
        raise ValueError(f"Invalid address: {text!r}; {exc} {_ALLOWED}") from None
    if isinstance(address, tuple) and not 0 <= address[1] <= 65535:
        raise ValueError(f"Invalid address: {text!r}; ports end at 65535")
    if not address:
        raise ValueError(f"Invalid address: {text!r}; the path is missing: {_ALLOWED}")
    return text


def refuse_shared_address(cfg: Config) -> None:
    """Checks that the status pages have an address of their own.

    Raises:
        ConfigError: `bind` has it as well.
    """
    if cfg.status_bind is None:
        return
    pages: Any = util.parse_address(cfg.status_bind)
    for text in cfg.bind:
        if _overlap(pages, _parsed(text)):
            raise ConfigError(
                f"status_bind = {cfg.status_bind!r} is where the application is served "
                f"(bind = {text!r}): give it another port or path."
            )


def _parsed(text: Any) -> Any:
    try:
        return util.parse_address(util.bytes_to_str(text))
    except RuntimeError:
        # Somebody else says so.
        return None


def _overlap(one: Any, other: Any) -> bool:
    if not isinstance(one, tuple) or not isinstance(other, tuple):
        return bool(one == other)
    if one[1] != other[1] or not one[1]:
        # Port 0 is another one each time.
        return False
    return one[0] == other[0] or one[0] in _EVERYWHERE or other[0] in _EVERYWHERE


class StatusBind(Setting):
    name = "status_bind"
    section = "rgunicorn"
    cli = ["--status-bind"]
    meta = "ADDRESS"
    validator = validate_status_bind
    default = None
    desc = """\
        Where the status pages are served: `HOST:PORT`, or `unix:PATH`.

        A small process of its own answers there, also when every worker is busy: `/healthz` (the
        server is alive), `/readyz` (it can take requests), `/metrics` (Prometheus) and `/stats`
        (JSON, as uwsgitop reads it). It can only be read. Whoever can connect can read it, so bind
        it to an address that only your monitoring reaches. See [status](observability/status.md).
        """
