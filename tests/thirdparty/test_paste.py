"""PasteDeploy: `--paste`, and `pserve` with our `paste.server_runner`, with the real packages."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.server import Command, Server, Spawn, free_port
from harness.wait import until
from harness.wire import ask, get

INI = """\
[DEFAULT]
color = red

[app:main]
paste.app_factory = pasted:factory
size = %(here)s

[app:second]
paste.app_factory = pasted:factory
size = 2

[app:broken]
paste.app_factory = pasted:broken

[server:main]
use = egg:{name}#main
"""
LOGGERS = """
[loggers]
keys = root, shop
[handlers]
keys = file
[formatters]
keys = short
[logger_root]
level = WARNING
handlers =
[logger_shop]
level = INFO
qualname = shop
handlers = file
[handler_file]
class = FileHandler
args = (r"%(here)s/shop.log",)
formatter = short
[formatter_short]
format = shop says %(message)s
"""


@pytest.fixture
def ini(tmp_path: Path, beside_others: Command) -> Callable[..., Path]:
    """`ini(more="")` writes the file and returns its path."""

    def write(more: str = "") -> Path:
        path = tmp_path / "app.ini"
        path.write_text(INI.replace("{name}", beside_others.name) + more)
        return path

    return write


@pytest.fixture
def pserve(beside_others: Command) -> Command:
    """Pyramid's command, which finds its server by the entry point."""
    argv = (beside_others.python, "-m", "pyramid.scripts.pserve")
    return Command(argv, beside_others.name)


def answer(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(server.address, get("/")).body)
    return found


def test_an_application_of_an_ini(
    spawn: Spawn, ini: Callable[..., Path], beside_others: Command
) -> None:
    path = ini(LOGGERS)
    args = ("--paste", f"{path}#second", "--paste-global", r"a\=b=c", "--chdir", "/")
    server = spawn(None, command=beside_others, args=args)
    found = answer(server)
    assert found["local"] == {"size": "2"}
    assert found["global"] == {
        "color": "red",
        "a=b": "c",
        "here": str(path.parent),
        "__file__": str(path),
    }
    title = Path(f"/proc/{server.pid}/cmdline").read_bytes().rstrip(b"\0 ").decode()
    assert title == f"gunicorn: master [{path}]"
    # The file's loggers are used, the server's own lines are as ever.
    assert (path.parent / "shop.log").read_text() == "shop says sold\n"
    assert re.search(r"^\[[^]]*\] \[\d+\] \[INFO\] Listening at: ", server.log(), re.MULTILINE)
    server.send_signal(signal.SIGHUP)
    server.wait_log("Booting worker", 2)
    assert answer(server)["local"] == {"size": "2"}
    server.assert_clean_exit()


def test_a_relative_file_after_a_reload(
    spawn: Spawn, ini: Callable[..., Path], beside_others: Command
) -> None:
    if beside_others.is_gunicorn:
        pytest.skip("reads `paste` on the command line only, and looks in chdir at a reload")
    # In the config file, relative to where the server was started.
    path = ini()
    server = spawn(None, command=beside_others, settings={"paste": "../app.ini", "chdir": "/"})
    assert answer(server)["local"] == {"size": str(path.parent)}
    server.send_signal(signal.SIGHUP)
    server.wait_log("Worker exiting")
    assert answer(server)["gunicorn"] == "rgunicorn"
    server.assert_clean_exit()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--paste", "nope.ini"], "\nError: '{here}/nope.ini' not found\n"),
        (["--paste", "gunicorn.conf.py"], "\nError: File contains no section headers."),
        (["--paste", "{ini}#nope"], "No section 'nope'"),
        (["--paste", "{ini}#broken"], "KeyError: 'of its own'"),
    ],
    ids=["missing", "no ini", "no section", "failing"],
)
def test_what_can_not_be_loaded(
    spawn: Spawn, ini: Callable[..., Path], beside_others: Command, args: list[str], words: str
) -> None:
    path = ini()
    args = [arg.replace("{ini}", str(path)) for arg in args]
    server = spawn(None, command=beside_others, args=args, ready=False)
    code = server.wait_exit()
    log = server.log()
    assert words.replace("{here}", str(server.directory)) in log
    if "nope" in args[1] and "#" in args[1] and not beside_others.is_gunicorn:
        # A section that is not there is a wrong word, not code that fails.
        assert code == 4
        assert "Traceback" not in log
    else:
        assert code == (3 if "#" in args[1] else 1)


def test_global_configuration_without_a_value(
    spawn: Spawn, ini: Callable[..., Path], beside_others: Command
) -> None:
    if beside_others.is_gunicorn:
        pytest.skip("a traceback in each worker that is started")
    args = ("--paste", str(ini()), "--paste-global", "color")
    server = spawn(None, command=beside_others, args=args, ready=False)
    assert server.wait_exit() == 1
    words = "\nError: raw_paste_global_conf = ['color']: each entry must be KEY=VALUE\n"
    assert server.log() == words


def test_pserve(spawn: Spawn, ini: Callable[..., Path], pserve: Command) -> None:
    port = free_port()
    options = f"host = 127.0.0.1\nport = {port}\nworkers = 2\nworker_class = gthread\nthreads = 2\n"
    path = ini(options)
    # The config file of its directory counts, and the options are stronger.
    config = "workers = 1\ndef post_fork(server, worker):\n    import gunicorn\n"
    config += "    server.log.info('in a process of %s', gunicorn.__file__.split('/')[-2])\n"
    server = spawn(None, command=pserve, args=(str(path),), config=config, ready=False)
    server.wait_log("Booting worker", 2)
    assert f"Listening at: http://127.0.0.1:{port} " in server.log()
    assert "Using worker: gthread\n" in server.log()
    assert server.log().count(f"in a process of {pserve.name}\n") == 2
    server.address = ("127.0.0.1", port)
    found = answer(server)
    assert found["local"] == {"size": str(path.parent)}
    assert found["master"] == server.pid
    server.send_signal(signal.SIGHUP)
    server.wait_log("Worker exiting", 2)
    assert answer(server)["master"] == server.pid
    server.assert_clean_exit()


def test_pserve_with_a_config_file_and_several_hosts(
    spawn: Spawn, ini: Callable[..., Path], pserve: Command
) -> None:
    one, two = free_port(), free_port()
    path = ini(f"host = 127.0.0.1:{one},127.0.0.1:{two}\nconfig = %(here)s/own.py\n")
    (path.parent / "own.py").write_text("workers = 2\nbind = '127.0.0.1:1'\n")
    server = spawn(None, command=pserve, args=(str(path),), ready=False)
    server.wait_log("Booting worker", 2)
    assert f"Listening at: http://127.0.0.1:{one},http://127.0.0.1:{two} " in server.log()
    server.assert_clean_exit()


def test_pserve_with_a_wrong_option(
    spawn: Spawn, ini: Callable[..., Path], pserve: Command
) -> None:
    path = ini("nope = 1\n")
    server = spawn(None, command=pserve, args=(str(path),), ready=False)
    # The code is pserve's, which makes a 0 of it.
    server.wait_exit()
    assert "Error: No configuration setting for: nope" in server.log()


def test_pserve_with_a_port_alone(spawn: Spawn, ini: Callable[..., Path], pserve: Command) -> None:
    if pserve.is_gunicorn:
        pytest.skip("ignores a port without a host")
    port = free_port()
    server = spawn(None, command=pserve, args=(str(ini(f"port = {port}\n")),), ready=False)
    server.wait_log(f"Listening at: http://127.0.0.1:{port} ")


def test_an_upgrade_of_pserve(spawn: Spawn, ini: Callable[..., Path], pserve: Command) -> None:
    server = spawn(None, command=pserve, args=(str(ini()),))
    server.send_signal(signal.SIGUSR2)
    server.wait_log("Booting worker", 2)
    second = int(re.findall(r"\[(\d+)\] \[INFO\] Listening at", server.log())[-1])
    assert second != server.pid
    server.send_signal(signal.SIGTERM)
    assert server.wait_exit() == 0
    server.wait_log("Master has been promoted.")
    until(lambda: answer(server)["master"] == second, "the new master's worker", show=server.log)
