"""A new configuration for a running master, taken over as a whole or not at all.

`begin` puts it in force for the workers that are forked from now on. Until these are ready the old
one can come back: what only the old workers need stays open, and the pidfile stays where it is.
`commit` and `roll_back` end that.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

from rgunicorn import binding, sock, util
from rgunicorn.errors import ConfigError
from rgunicorn.pidfile import Pidfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.arbiter import Arbiter
    from rgunicorn.config import Config


_FAILED = "Reload failed, the old configuration stays in force"
_SAID_BEFORE = "the configuration could not be used; the lines before say why"

# Seconds after which a reload whose workers hang in their import gives way to the next.
_PATIENCE = 60.0


class Pending:
    """What was in force when a reload began.

    Args:
        server: the master; its configuration, its listeners and what its application object
            keeps are remembered.
    """

    def __init__(self, server: Arbiter) -> None:
        self.cfg = server.cfg
        self.workers = server.num_workers
        self.listeners = list(server.LISTENERS)
        self.superseded = list(server._superseded)
        self.app = vars(server.app).copy()
        self.cwd = util.getcwd()
        # The number of workers that the new configuration asks for.
        self.asked = 0
        self._patience = _PATIENCE
        self.begin(server)

    def begin(self, server: Arbiter) -> None:
        """New workers are to be forked: from now on it is seen whether they get anywhere."""
        self._age = server.worker_age
        self._since = time.monotonic()

    def supersede(self) -> None:
        """The new workers are given up for newer ones, which have twice the time: or a storm of
        reloads would never let any worker boot that takes longer."""
        self._patience *= 2

    def is_stuck(self, server: Arbiter) -> bool:
        """Whether none of the new workers has shown any sign of life for long."""
        if time.monotonic() - self._since < self._patience:
            return False
        slots = (
            getattr(worker.tmp, "slot", None)
            for worker in server.WORKERS.values()
            if worker.age > self._age
        )
        return not any(slot and (slot.booted_ns or slot.heartbeat_ns) for slot in slots)

    def bring_back(self, server: Arbiter) -> None:
        """Puts everything back in force, and closes what was opened since."""
        vars(server.app).update(self.app)
        os.chdir(self.cwd)
        opened = [*server.LISTENERS, *server._superseded]
        known = [*self.listeners, *self.superseded]
        sock.close_sockets([it for it in opened if it not in known], server._owns_listeners())
        server.LISTENERS, server._superseded = self.listeners, self.superseded
        try:
            sock.follow(self.listeners, self.cfg)
        except (ConfigError, OSError) as exc:
            server.log.error("%s", exc)
        if server.cfg is self.cfg:
            os.environ.update(self.cfg.env)
            return
        _withdraw(server.cfg)
        workers = self.workers
        if self.asked:
            # TTIN and TTOU meanwhile were meant for the server, whatever its configuration.
            workers = max(1, workers + server.num_workers - self.asked)
        server.setup(server.app)
        if server.num_workers != workers:
            server.num_workers = workers


def follows(server: Arbiter) -> bool:
    """Whether a reload has to wait for the one under way; any number of them become one.

    It does not wait for one whose workers hang: the code may have been mended since.
    """
    if server._pending is None:
        return False
    if server._pending.is_stuck(server):
        server.log.warning("The reload under way gets nowhere: another one takes its place")
        server._pending.supersede()
        return False
    if not server._again:
        server._again = True
        server.log.info("A reload is under way; another one follows it, for all that ask for one")
    return True


def look(server: Arbiter) -> None:
    """One turn of the main loop: reloads when one is due."""
    path = server._touch.look(server.cfg, server.log)
    if path is not None:
        server.log.info("Reload: %s has changed (touch_reload)", path)
    elif server._again and server._pending is None:
        server.log.info("Reload: it was asked for during the last one")
    else:
        return
    server.reload()


def begin(server: Arbiter) -> bool:
    """Loads the configuration again and opens the listeners it asks for.

    Returns:
        False when it can not be loaded or bound, or the `on_reload` hook raises: then everything
        is as it was, and the error log says so. Gunicorn's master ends instead, and leaves its
        workers behind.
    """
    server._again = False
    server._unit.reloading(server.log)
    # A change of these files that this reload sees needs no other.
    server._touch.note(server.cfg, server.log)
    before = Pending(server)
    _withdraw(server.cfg)
    try:
        server.app.reload()
        server.setup(server.app)
        server.prepare_tls()
        if before.cfg.address != server.cfg.address:
            _relisten(server)
        sock.follow(server.LISTENERS, server.cfg)
        server._status.prepare(server)
        server.log.reopen_files()
        server.cfg.on_reload(server)
    except (Exception, SystemExit) as exc:
        before.bring_back(server)
        if isinstance(exc, ConfigError):
            server.log.error("%s: %s", _FAILED, exc)
        else:
            # A SystemExit has said on stderr what is wrong, as at a start.
            exc_info = None if isinstance(exc, SystemExit) else exc
            server.log.error(_FAILED, exc_info=exc_info)
        # Of a SystemExit only a number is left.
        said = _SAID_BEFORE if isinstance(exc, SystemExit) else str(exc)
        _note_failure(server, said or type(exc).__name__)
        if server._pending is None:
            server._unit.ready(server.log, _FAILED)
        return False
    # A reload during a reload: the old workers still have the configuration before both.
    if server._pending is None:
        server._pending = before
    else:
        server._pending.begin(server)
    server._pending.asked = server.num_workers
    util._setproctitle(f"master [{server.proc_name}]")
    return True


def commit(server: Arbiter) -> None:
    """The new workers serve: closes what only the old ones needed, moves the pidfile."""
    for worker in server.WORKERS.values():
        slot = getattr(worker.tmp, "slot", None)
        if slot is not None and not set(server._superseded).isdisjoint(worker.sockets):
            # Who waits there has nobody else.
            slot.set_heirless()
    sock.close_sockets(server._superseded, server._owns_listeners())
    server._superseded = []
    server._pending = None
    _rewrite_pidfile(server)
    server._stats["reload_failure"] = None
    server._unit.ready(server.log, "Gunicorn arbiter reloaded")


def roll_back(server: Arbiter, why: str) -> None:
    """The new workers could not boot: the old configuration comes back, the old workers stay."""
    pending, server._pending = server._pending, None
    if pending is not None:
        pending.bring_back(server)
        util._setproctitle(f"master [{server.proc_name}]")
        _rewrite_pidfile(server)
    server.log.error("%s and the old workers serve on: %s", _FAILED, why)
    _note_failure(server, why)
    server._unit.ready(server.log, _FAILED)


def report(server: Arbiter) -> None:
    """At the end of the server: says so if it has served with an older configuration than the one
    it was last asked for."""
    failure = server._stats["reload_failure"]
    if failure is not None:
        server.log.warning("The last reload had failed, and was never made good: %s", failure)


def _note_failure(server: Arbiter, why: str) -> None:
    server._stats["reload_failures"] += 1
    server._stats["reload_failure"] = why


def set_up_log(server: Arbiter) -> None:
    """Makes the logger, or has the one there is follow the new configuration."""
    if server.log is None:
        server.log = server.cfg.logger_class(server.cfg)
        return
    try:
        server.log.setup(server.cfg)
    except Exception:
        # The logger has gone back to what it had.
        failed = "reloading the logger configuration failed, keeping the previous one"
        print(f"\nError: {failed}", file=sys.stderr)
        traceback.print_exc()
        sys.stderr.flush()
        server.log.error(failed)


def _rewrite_pidfile(server: Arbiter) -> None:
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


def _withdraw(cfg: Config) -> None:
    """Gives the variables of `raw_env` the values they had when the server was started."""
    for name in cfg.env:
        if name in cfg.env_orig:
            os.environ[name] = cfg.env_orig[name]
        else:
            os.environ.pop(name, None)


def _relisten(server: Arbiter) -> None:
    """Binds what is new and keeps what stays; what is gone is closed when the reload is done.

    An address that stays could not be bound again: the old workers still listen on it. Sockets of
    systemd's are all there are, whatever `bind` says, as at the start.
    """
    if server.systemd:
        return
    opened = [*server.LISTENERS, *server._superseded]
    kept: list[Any] = []
    added: list[Any] = []
    for address in server.cfg.address:
        same = next((it for it in opened if _is_on(it, address)), None)
        if same is None:
            added.append(address)
        else:
            kept.append(same)
    if server.cfg.reuse_port:
        binding.try_out(server.cfg, server.log)
        new = []
    else:
        new = sock.create_sockets(server.cfg, server.log, addresses=added) if added else []
    server.LISTENERS = kept + new
    server._superseded = [it for it in opened if it not in kept]
    server.log.info("Listening at: %s", server._listeners_text())


def _is_on(listener: Any, address: Any) -> bool:
    name = listener.getsockname()
    bound = name[:2] if isinstance(name, tuple) else name
    return address in (listener.cfg_addr, bound, listener.fileno())
