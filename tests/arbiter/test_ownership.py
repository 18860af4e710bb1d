"""`unix_socket_owner` and `unix_socket_mode`."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.wait import until

pytestmark = pytest.mark.ours("unix_socket_owner, unix_socket_mode")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def rights(path: str) -> tuple[int, int, int]:
    info = os.stat(path)
    return info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_the_mode_wins_over_umask(serve, umask: int) -> None:
    server = serve(workers=1, transport="unix", umask=umask, unix_socket_mode="620")
    assert rights(server.address) == (os.geteuid(), os.getegid(), 0o620)
    server.assert_clean_exit()
    assert not os.path.exists(server.address)


@ROOT
@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("nobody", (65534, 65533, 0o700)),
        ("12345:54321", (12345, 54321, 0o700)),
        (":daemon", (65532, 1, 0o700)),
    ],
)
def test_owners(serve, owner: str, expected: tuple[int, int, int]) -> None:
    """What it does not say is as without it."""
    server = serve(
        workers=1,
        preload_app=True,
        transport="unix",
        user=65532,
        group=65533,
        umask=0o077,
        unix_socket_owner=owner,
    )
    assert rights(server.address) == expected
    server.assert_clean_exit()


@ROOT
def test_a_reload_changes_them(serve, tmp_path: Path) -> None:
    server = serve(workers=1, transport="unix", unix_socket_mode="600")
    config = server.directory / "gunicorn.conf.py"
    before = config.read_text()
    inode = os.stat(server.address).st_ino

    def reload(text: str, expected: tuple[int, int, int]) -> None:
        config.write_text(text)
        workers = server.workers()
        server.send_signal(signal.SIGHUP)
        until(lambda: not set(workers) & set(server.workers()), "the reload", show=server.log)
        assert rights(server.address) == expected

    changed = before.replace("'600'", "0o660") + "\nunix_socket_owner = ':54321'\n"
    reload(changed, (0, 54321, 0o660))
    # Without them everything is as it would have been.
    reload(before.replace("unix_socket_mode", "other"), (0, 0, 0o777))
    # Not one that somebody has put in its place.
    os.unlink(server.address)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(server.address)
        os.chmod(server.address, 0o705)
        reload(before, (0, 0, 0o705))
        assert os.stat(server.address).st_ino != inode


def test_a_reload_that_fails_leaves_them(serve) -> None:
    server = serve(workers=1, transport="unix", unix_socket_mode="600")
    config = server.directory / "gunicorn.conf.py"
    text = config.read_text().replace("'600'", "'666'")
    config.write_text(text + "\ndef on_reload(server):\n    raise RuntimeError('no')\n")
    server.send_signal(signal.SIGHUP)
    server.wait_log("Reload failed")
    assert rights(server.address)[2] == 0o600


def test_an_inherited_socket_stays_as_it_is(serve, tmp_path: Path) -> None:
    path = str(tmp_path / "given")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as given:
        given.bind(path)
        os.chmod(path, 0o604)
        given.listen(5)
        os.set_inheritable(given.fileno(), True)
        code = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.environ['LISTEN_FDS'] = '1'; os.dup2(int(sys.argv[1]), 3);"
            "os.execv(sys.executable, [sys.executable, '-m', 'rgunicorn', *sys.argv[2:]])"
        )
        words = ["--unix-socket-mode=660", "--no-control-socket", "kitchen:app"]
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(given.fileno()), *words],
            close_fds=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent / "apps")},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "Booting worker" in line:
                    break
            assert rights(path)[2] == 0o604
        finally:
            process.terminate()
            process.communicate(timeout=20)


def test_nobody_can_connect_before_it_is_as_it_shall_be(tmp_path: Path) -> None:
    """As the kernel sees the calls: made with its mode, given away, and only then listened on."""
    code = """
import os, socket, sys
from types import SimpleNamespace
from rgunicorn import sock
calls = []
def note(name, real):
    def called(*args, **kwargs):
        result = real(*args, **kwargs)
        if os.path.lexists(sys.argv[1]):
            calls.append((name, oct(os.lstat(sys.argv[1]).st_mode & 0o777)))
        return result
    return called
class Socket(socket.socket):
    bind = note("bind", socket.socket.bind)
    listen = note("listen", socket.socket.listen)
sock.socket.socket = Socket
os.chown = note("chown", os.chown)
os.chmod = note("chmod", os.chmod)
uid, gid = os.geteuid(), os.getegid()
conf = SimpleNamespace(umask=0, uid=uid, gid=gid, reuse_port=False, backlog=5,
    unix_socket_owner=f"{uid}:{(os.getgroups() or [gid])[-1]}", unix_socket_mode="640")
sock.UnixSocket(sys.argv[1], conf, None)
print(calls)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    calls = eval(done.stdout)
    assert [name for name, _ in calls if name != "chown"] == ["bind", "listen"]
    assert {mode for _, mode in calls} == {"0o640"}


@ROOT
def test_who_may_not_give_it_away_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s"
    pidfile = tmp_path / "pid"
    done = subprocess.run(
        [
            *("setpriv", "--bounding-set=-chown"),
            *(sys.executable, "-m", "rgunicorn", "--unix-socket-owner=nobody", f"-p{pidfile}"),
            *(f"-bunix:{path}", "--no-control-socket", "kitchen:app"),
        ],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent / "apps")},
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.endswith(
        f"\nError: unix_socket_owner = 'nobody': {path} can not be given away: Operation not "
        "permitted. Start the server as root or with CAP_CHOWN, or name a group that its user is "
        "in (:GROUP).\n\n"
    )
    assert "Traceback" not in done.stderr
    assert not path.exists()
    assert not pidfile.exists()
