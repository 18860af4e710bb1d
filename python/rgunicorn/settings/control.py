"""The control socket that `gunicornc` talks to."""

from __future__ import annotations

import os

from rgunicorn.settings.base import Setting, Unbuilt, auto_int
from rgunicorn.settings.validators import validate_bool, validate_pos_int, validate_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config

_CONTROL = Unbuilt(
    "the control socket",
    "control the master by signals (TTIN, TTOU, HUP, USR1, TERM) and drop the setting",
)


def _default_control_socket() -> str:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, "gunicorn.ctl")
    return os.path.join(os.path.expanduser("~"), ".gunicorn", "gunicorn.ctl")


class ControlSocket(Setting):
    name = "control_socket"
    section = "Control"
    cli = ["--control-socket"]
    meta = "PATH"
    validator = validate_string
    default = _default_control_socket()
    default_doc = (
        "`$XDG_RUNTIME_DIR/gunicorn.ctl` if that directory exists, else `~/.gunicorn/gunicorn.ctl`"
    )
    unbuilt = _CONTROL
    desc = """\
        Path of the control socket.

        rgunicorn opens no control socket: the default path is never used, and any other is
        refused at boot.
        """

    def unbuilt_use(self, cfg: Config) -> Unbuilt | None:
        return None if cfg.control_socket_disable else super().unbuilt_use(cfg)


class ControlSocketMode(Setting):
    name = "control_socket_mode"
    section = "Control"
    cli = ["--control-socket-mode"]
    meta = "INT"
    type = auto_int
    validator = validate_pos_int
    default = 0o600
    default_doc = "`0o600`"
    unbuilt = _CONTROL
    desc = """\
        Permission bits of the control socket.
        """

    def unbuilt_use(self, cfg: Config) -> Unbuilt | None:
        return None if cfg.control_socket_disable else super().unbuilt_use(cfg)


class ControlSocketDisable(Setting):
    name = "control_socket_disable"
    section = "Control"
    cli = ["--no-control-socket"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Open no control socket; rgunicorn never opens one.
        """
