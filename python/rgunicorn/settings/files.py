"""Settings of ours for files: static ones, and the sockets in the file system."""

from __future__ import annotations

from rgunicorn.settings.base import Setting, Unbuilt
from rgunicorn.settings.validators import validate_list_string, validate_string

_SOCKETS = Unbuilt("the owner and the mode of unix sockets", "use umask, and user and group")


class StaticMap(Setting):
    name = "static_map"
    section = "rgunicorn"
    cli = ["--static-map"]
    action = "append"
    meta = "PREFIX=DIR"
    validator = validate_list_string
    default = []
    unbuilt = Unbuilt("static files", "let the proxy serve them, or WhiteNoise")
    desc = """\
        Directories whose files are served without the application; give the flag again for more.

        `/static=/srv/app/static` answers GET and HEAD of `/static/x.css` with
        `/srv/app/static/x.css`. What is not there is left to the application.
        """


class UnixSocketOwner(Setting):
    name = "unix_socket_owner"
    section = "rgunicorn"
    cli = ["--unix-socket-owner"]
    meta = "USER[:GROUP]"
    validator = validate_string
    default = None
    unbuilt = _SOCKETS
    desc = """\
        Who owns the unix sockets of `bind`: `USER`, `USER:GROUP` or `:GROUP`, names or numbers.

        By default `user` and `group` own them.
        """


class UnixSocketMode(Setting):
    name = "unix_socket_mode"
    section = "rgunicorn"
    cli = ["--unix-socket-mode"]
    meta = "MODE"
    validator = validate_string
    default = None
    unbuilt = _SOCKETS
    desc = """\
        The mode of the unix sockets of `bind`, in octal: `660`.

        By default `umask` decides.
        """
