"""From one master to the next: what a re-executed master is given, and how it takes it.

The parent stays as it is; the child executes the original command in the original environment and
directory. `GUNICORN_PID` tells it whose successor it is, `GUNICORN_FD` which descriptors are its
listeners; systemd's `LISTEN_FDS` protocol is spoken on when it was spoken to us, so that the
successor knows that systemd owns the sockets. What the two say to each other is in `upgrade.py`.
"""

from __future__ import annotations

import os
import sys

from rgunicorn import binding, sock, systemd, upgrade, util
from rgunicorn._core import fork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.arbiter import Arbiter
    from rgunicorn.sock import BaseSocket


def start_context(cwd: str | None = None) -> dict[Any, Any]:
    """The command that started this process.

    Args:
        cwd: the directory it was started in, where relative words of the command count from; None:
            the present one.

    Returns:
        `args`, the command line; `cwd`, the directory; `0`, the program to execute.
    """
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or not spec.parent and spec.name == "__main__":
        command = sys.argv[:]
    else:
        # After `python -m package`, argv[0] is a file in the package: executed by that name it
        # would put the package's directory first on sys.path.
        module = spec.parent if spec.name.endswith(".__main__") else spec.name
        command = ["-m", module, *sys.argv[1:]]
    return {"args": [sys.executable, *command], "cwd": cwd or util.getcwd(), 0: sys.executable}


def reexec(server: Arbiter) -> None:
    """Forks and, in the child, executes the original command; the parent returns at once."""
    master_pid = os.getpid()
    try:
        reader, writer = upgrade.make_line()
    except OSError as exc:
        server.log.error("USR2: a new master can not be started: %s", exc)
        return
    if master_pid == 1:
        server.log.warning(
            "USR2 as pid 1: when this master ends, the kernel ends the new one with it, and the "
            "container. HUP loads new code without that"
        )
    try:
        pid = fork(server.SIG_QUEUE)
    except OSError as exc:
        os.close(reader)
        os.close(writer)
        server.log.error("USR2: a new master can not be started: %s", exc)
        return
    if pid:
        os.close(writer)
        server.reexec_pid = pid
        server._upgrade.begin(pid, reader)
        return
    # Not a word of this child may reach the main loop above: it would stop its siblings.
    try:
        for listener in server._superseded:
            listener.close()
        server.cfg.pre_exec(server)
        os.chdir(server.START_CTX["cwd"])
        environ = _environment(server, master_pid)
        environ[upgrade.VARIABLE] = str(writer)
        server._status.pass_on(environ)
        os.set_inheritable(writer, True)
        os.execvpe(server.START_CTX[0], server.START_CTX["args"], environ)
    except BaseException:
        server.log.exception("Exception while executing a new master")
        os._exit(1)


def promote(server: Arbiter) -> None:
    """The master that executed us is gone: its place, its name and its pidfile are ours."""
    server.log.info("Master has been promoted.")
    server._upgrade.disconnect()
    predecessor, server.master_pid = server.master_pid, 0
    server.master_name = "Master"
    server.proc_name = server.cfg.proc_name
    os.environ.pop("GUNICORN_PID", None)
    if server.pidfile is not None:
        server.pidfile.take_over(server.cfg.pidfile, predecessor)
    util._setproctitle(f"master [{server.proc_name}]")
    server._unit.promoted(server.log)


def open_listeners(server: Arbiter) -> list[BaseSocket]:
    """The listeners this process was given, else those it is configured to have.

    Sets `server.systemd`, and removes the variables that name descriptors.

    Raises:
        SystemExit: an address can not be bound.
        ValueError: a variable does not hold numbers, or a path is no socket.
    """
    passed_on = os.environ.pop("GUNICORN_FD", "")
    count = systemd.listen_fds()
    if count:
        server.systemd = True
        start = systemd.SD_LISTEN_FDS_START
        return sock.create_sockets(server.cfg, server.log, range(start, start + count))
    if passed_on:
        # These are all there is: an `fd://N` among the settings is one of them.
        fds = [int(fd) for fd in passed_on.split(",")]
        return sock.create_sockets(server.cfg, server.log, fds, addresses=[])
    if server.cfg.reuse_port:
        binding.try_out(server.cfg, server.log)
        return []
    return sock.create_sockets(server.cfg, server.log)


def _environment(server: Arbiter, master_pid: int) -> dict[str, str]:
    environ: dict[str, str] = dict(server.cfg.env_orig)
    environ["GUNICORN_PID"] = str(master_pid)
    # Also when it is empty: that it is there at all tells `daemonize` to stay.
    environ["GUNICORN_FD"] = ",".join(str(listener.fileno()) for listener in server.LISTENERS)
    if server.systemd:
        environ["LISTEN_PID"] = str(os.getpid())
        environ["LISTEN_FDS"] = str(len(server.LISTENERS))
    systemd.hand_over_watchdog(environ, master_pid)
    return environ
