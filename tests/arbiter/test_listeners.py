"""What a server listens on, what it says about it, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import stat

import pytest

from harness.server import free_port
from harness.wait import until
from harness.wire import get


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def answer(family: int, address: object) -> bytes:
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        client.sendall(get("/pid"))
        data = b""
        while piece := client.recv(4096):
            data += piece
    return data.rpartition(b"\r\n")[2]


def test_several_addresses(serve, order, tmp_path):
    port, path = free_port(), str(tmp_path / "s")
    server = serve(
        workers=1, bind=[f"127.0.0.1:{port}", f"unix:{path}"], ready=False, loglevel="debug"
    )
    server.wait_log(f"Listening at: http://127.0.0.1:{port},unix:{path} ({server.pid})\n")
    server.wait_log("Booting worker")
    pid = str(server.workers()[0])
    assert order(server, "/pid", ("127.0.0.1", port)) == order(server, "/pid", path) == pid


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
def test_ipv6(serve):
    port = free_port()
    server = serve(workers=1, bind=f"[::1]:{port}", ready=False)
    server.wait_log(f"Listening at: http://[::1]:{port} ({server.pid})\n")
    server.wait_log("Booting worker")
    assert answer(socket.AF_INET6, ("::1", port)) == str(server.workers()[0]).encode()


@pytest.mark.gunicorn_bug("ValueError on the way out")
def test_abstract_unix_socket(serve, tmp_path):
    name = f"\0rgunicorn-test-{os.getpid()}-{free_port()}"
    # The null character can not stand on a command line; a config file can hold it.
    server = serve(workers=1, bind=f"unix:{name}", ready=False)
    server.wait_log("Booting worker")
    assert answer(socket.AF_UNIX, name) == str(server.workers()[0]).encode()
    server.assert_clean_exit()


@pytest.mark.parametrize(("umask", "mode"), [(0, 0o777), (0o117, 0o660)])
def test_mode_of_a_unix_socket(serve, umask, mode):
    server = serve(workers=1, transport="unix", umask=umask)
    assert stat.S_IMODE(os.stat(server.address).st_mode) == mode
    server.assert_clean_exit()
    assert not os.path.exists(server.address)


def test_stale_unix_socket_is_replaced(serve, order, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    server = serve(workers=1, bind=f"unix:{path}", ready=False)
    server.wait_log("Booting worker")
    assert order(server, "/pid", path)


def test_other_file_is_not_replaced(serve, tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    server = serve(bind=f"unix:{path}", ready=False)
    assert server.wait_exit() == 1
    assert f"ValueError: '{path}' is not a socket" in server.log()
    assert path.read_text() == "precious"


@pytest.mark.gunicorn_bug("FileNotFoundError on the way out")
def test_unix_socket_that_somebody_removed(serve):
    server = serve(workers=1, transport="unix")
    os.unlink(server.address)
    server.assert_clean_exit()


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_reuse_port(serve, order, worker):
    server = serve(workers=2, reuse_port=True, worker_class=worker, threads=1)
    server.wait_log(f"Listening at:  ({server.pid})\n")
    server.wait_log("Booting worker", 2)

    def listeners() -> int:
        port = f":{server.address[1]:04X} "
        with open("/proc/net/tcp") as table:
            return sum(port in line and " 0A " in line for line in table)

    until(lambda: listeners() == 2, "each worker to have its own", show=server.log)
    assert int(order(server, "/pid")) in server.workers()
    server.assert_clean_exit()


def test_bad_descriptor(serve):
    server = serve(bind="fd://77", ready=False)
    assert server.wait_exit() == 1
    assert "Bad file descriptor" in server.log()
    if not server.command.is_gunicorn:
        assert "Error: file descriptor 77 can not be listened on: " in server.log()
        assert "Traceback" not in server.log()


def test_backlog(serve):
    server = serve(workers=1, backlog=7)
    server.wait_log("Booting worker")
    os.kill(server.workers()[0], signal.SIGSTOP)
    clients = []
    try:
        # The kernel lets in one more than the backlog; a full queue answers no SYN.
        for _ in range(20):
            client = socket.socket()
            client.settimeout(0.3)
            clients.append(client)
            if client.connect_ex(server.address):
                break
        assert 7 < len(clients) < 12
    finally:
        for client in clients:
            client.close()
        os.kill(server.workers()[0], signal.SIGCONT)


def test_listeners_are_not_inherited_by_programs_of_the_app(serve):
    config = (
        "def post_worker_init(worker):\n"
        "    import subprocess\n"
        "    out = subprocess.run(['ls', '-l', '/proc/self/fd'], close_fds=False,\n"
        "                         capture_output=True, text=True).stdout\n"
        "    worker.log.info('sockets: %s', out.count('socket:'))\n"
    )
    server = serve(workers=1, config=config)
    server.wait_log("sockets: 0")


def test_pidfile(serve, tmp_path):
    path = tmp_path / "pid"
    path.write_text("99999999\n")
    server = serve(workers=1, pidfile=str(path))
    assert path.read_text() == f"{server.pid}\n", "a stale one is overwritten"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    other = serve(workers=1, pidfile=str(path), ready=False)
    assert other.wait_exit() == 1
    assert f"Error: Already running on PID {server.pid} (or pid file '{path}' is stale)" in (
        other.log()
    )
    assert path.read_text() == f"{server.pid}\n"
    server.assert_clean_exit()
    assert not path.exists()


def test_pidfile_of_somebody_else_is_left_alone(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve(workers=1, pidfile=str(path))
    path.write_text("1\n")
    server.assert_clean_exit()
    assert path.read_text() == "1\n"


def test_pidfile_without_a_directory(serve, tmp_path):
    server = serve(pidfile=str(tmp_path / "no" / "pid"), ready=False)
    assert server.wait_exit() == 1
    assert f"Error: {tmp_path / 'no'} doesn't exist. Can't create pidfile." in server.log()


@pytest.mark.gunicorn_bug("stays behind")
def test_pidfile_goes_when_the_boot_fails(serve, tmp_path):
    path = tmp_path / "pid"
    config = "def when_ready(server):\n    raise KeyError('no')\n"
    server = serve(pidfile=str(path), config=config, ready=False)
    assert server.wait_exit() == 1
    assert not path.exists()


def test_pidfile_moves_on_reload(serve, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    server = serve(workers=1, pidfile=str(old))
    config = server.directory / "gunicorn.conf.py"
    config.write_text(config.read_text().replace(str(old), str(new)))
    server.send_signal(signal.SIGHUP)
    until(new.exists, "the new pidfile", show=server.log)
    until(lambda: not old.exists(), "the old pidfile to go", show=server.log)
    assert new.read_text() == f"{server.pid}\n"
    server.assert_clean_exit()
    assert not new.exists()
