"""A new configuration for a running master, taken over as a whole or not at all."""

from __future__ import annotations

import os

from rgunicorn import sock
from rgunicorn.errors import ConfigError
from rgunicorn.pidfile import Pidfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.arbiter import Arbiter
    from rgunicorn.config import Config


def reconfigure(server: Arbiter) -> bool:
    """Loads the configuration again, and opens and closes listeners as it says.

    Returns:
        False when it can not be loaded or bound: then everything is as it was, and the error log
        says so. Gunicorn's master ends instead, and leaves its workers behind.
    """
    old, workers = server.cfg, server.num_workers
    _withdraw(old)
    try:
        server.app.reload()
        server.setup(server.app)
        server.prepare_tls()
        if old.address != server.cfg.address:
            _relisten(server)
    except ConfigError as exc:
        server.log.error("Reload failed, the old configuration stays in force: %s", exc)
        _restore(server, old, workers)
        return False
    except (Exception, SystemExit) as exc:
        # A SystemExit has said on stderr what is wrong, as at a start.
        exc_info = None if isinstance(exc, SystemExit) else exc
        server.log.error("Reload failed, the old configuration stays in force", exc_info=exc_info)
        _restore(server, old, workers)
        return False
    return True


def rewrite_pidfile(server: Arbiter) -> None:
    """Moves our pid to the pidfile now configured; one that can not be had is reported."""
    name, old = server._pidfile_name(), server.pidfile
    new = old if old is not None and old.fname == name else name and Pidfile(name)
    try:
        if new:
            new.create(server.pid)
    except RuntimeError as exc:
        server.log.error("%s", exc)
        return
    if old is not None and old is not new:
        old.unlink()
    server.pidfile = new or None


def _restore(server: Arbiter, old: Config, workers: int) -> None:
    server.app.cfg = old
    if server.cfg is old:
        os.environ.update(old.env)
        return
    _withdraw(server.cfg)
    server.setup(server.app)
    if server.num_workers != workers:
        server.num_workers = workers


def _withdraw(cfg: Config) -> None:
    """Gives the variables of `raw_env` the values they had when the server was started."""
    for name in cfg.env:
        if name in cfg.env_orig:
            os.environ[name] = cfg.env_orig[name]
        else:
            os.environ.pop(name, None)


def _relisten(server: Arbiter) -> None:
    """Binds what is new, closes what is gone, and keeps what stays.

    An address that stays could not be bound again: the old workers still listen on it.
    """
    kept: list[Any] = []
    added: list[Any] = []
    for address in server.cfg.address:
        same = next((it for it in server.LISTENERS if _is_on(it, address)), None)
        if same is None:
            added.append(address)
        else:
            kept.append(same)
    if server.cfg.reuse_port:
        sock.check_bindable(server.cfg, server.log)
        new = []
    else:
        new = sock.create_sockets(server.cfg, server.log, addresses=added) if added else []
    gone = [listener for listener in server.LISTENERS if listener not in kept]
    sock.close_sockets(gone, server._owns_listeners())
    server.LISTENERS = kept + new
    server.log.info("Listening at: %s", server._listeners_text())


def _is_on(listener: Any, address: Any) -> bool:
    name = listener.getsockname()
    bound = name[:2] if isinstance(name, tuple) else name
    return address in (listener.cfg_addr, bound, listener.fileno())
