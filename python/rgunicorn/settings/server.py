"""Config file, application and listening sockets."""

from __future__ import annotations

import os

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_list_string, validate_pos_int, validate_string


class ConfigFile(Setting):
    name = "config"
    section = "Config File"
    cli = ["-c", "--config"]
    meta = "CONFIG"
    validator = validate_string
    default = "./gunicorn.conf.py"
    desc = """\
        Where the configuration is read from.

        A path, `file:PATH`, or `python:MODULE` for a module on the Python path. Without this
        flag `gunicorn.conf.py` is read if the directory in which the server is started has one.
        The file is ordinary Python: each of its names that is the name of a setting sets it, all
        other names are left alone.

        A relative path counts from where the server is started, also with `chdir`. Of use on the
        command line and in `GUNICORN_CMD_ARGS` only.
        """


class WSGIApp(Setting):
    name = "wsgi_app"
    section = "Config File"
    meta = "STRING"
    validator = validate_string
    desc = """\
        The application to serve when the command line names none.

        `MODULE:NAME`, `MODULE` (its `application` is taken) or `MODULE:FACTORY(ARGUMENTS)`, as
        in `myproject.wsgi:application` or `shop:create_app('production')`.
        """


class Bind(Setting):
    name = "bind"
    section = "Server Socket"
    cli = ["-b", "--bind"]
    action = "append"
    meta = "ADDRESS"
    validator = validate_list_string
    default = [f"0.0.0.0:{os.environ['PORT']}"] if "PORT" in os.environ else ["127.0.0.1:8000"]
    default_doc = "`['0.0.0.0:$PORT']` if `PORT` is in the environment, else `['127.0.0.1:8000']`"
    desc = """\
        An address to listen on; give the flag again for further ones.

        | form | listens on |
        |---|---|
        | `HOST`, `HOST:PORT`, `:PORT`, `tcp://HOST:PORT` | TCP; the port is 8000 if left out, an \
empty host is every interface |
        | `[::1]:8000` | TCP over IPv6 |
        | `unix:PATH` | a Unix socket; see `umask`, `user` and `group` for who may connect |
        | `fd://3` | a socket that the server inherits |

        In a config file, a string is one address and a list holds several. Sockets handed over
        by systemd, or any `fd://`, make all other addresses be ignored.
        """


class Backlog(Setting):
    name = "backlog"
    section = "Server Socket"
    cli = ["--backlog"]
    meta = "INT"
    type = int
    validator = validate_pos_int
    default = 2048
    desc = """\
        How many connections the kernel queues while no worker is free to accept.

        The kernel cuts this to `net.core.somaxconn`. Raise both when bursts of clients are
        refused; lower it when you would rather refuse than let clients wait.
        """
