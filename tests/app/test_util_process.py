"""The helpers of `gunicorn.util` that change the process, or start another."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rgunicorn import util


def test_seed_gives_forked_processes_different_numbers() -> None:
    state = random.getstate()
    util.seed()
    first = random.random()
    random.setstate(state)
    util.seed()
    assert random.random() != first


def test_getcwd_is_spelled_as_the_shell_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    monkeypatch.chdir(real)
    monkeypatch.setenv("PWD", str(link))
    assert util.getcwd() == str(link)
    for other in ("/", "/none", ""):
        monkeypatch.setenv("PWD", other)
        assert util.getcwd() == str(real)


def in_child(action: Callable[[], str]) -> str:
    """What `action` returns in a forked process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, action().encode())
        except BaseException as exc:
            os.write(writer, repr(exc).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@root_only
@pytest.mark.parametrize(
    ("uid", "gid", "initgroups", "expected"),
    [
        (0, 0, False, "0 0 [0]"),
        (65534, 65533, False, "65534 65533 [0]"),
        (0, 65533, False, "0 65533 [0]"),
        # A uid without a name has no groups to take.
        (54321, 65533, True, "54321 65533 [0]"),
    ],
)
def test_becoming_another_user(uid: int, gid: int, initgroups: bool, expected: str) -> None:
    def become() -> str:
        os.setgroups([0])
        util.set_owner_process(uid, gid, initgroups)
        return f"{os.getuid()} {os.getgid()} {os.getgroups()}"

    assert in_child(become) == expected


@root_only
def test_initgroups_also_changes_the_primary_group() -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")

    def become() -> str:
        os.setgroups([0])
        util.set_owner_process(nobody.pw_uid, nobody.pw_gid, True)
        return f"{os.getuid()} {os.getgid()} {0 in os.getgroups()}"

    assert in_child(become) == f"{nobody.pw_uid} {nobody.pw_gid} False"


def test_daemonize(tmp_path: Path) -> None:
    """A grandchild in a session of its own, with nothing left of the caller's terminal."""
    done = tmp_path / "done"
    pid = os.fork()
    if pid == 0:
        try:
            util.daemonize()
            links = [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
            umask = os.umask(0)
            leads = os.getsid(0) == os.getpid()
            text = f"{links} {umask:o} {leads} {os.getsid(0) == os.getpgrp()}"
            (tmp_path / "part").write_text(text)
            (tmp_path / "part").rename(done)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    for _ in range(500):
        if done.exists():
            break
        time.sleep(0.01)
    assert done.read_text() == "['/dev/null', '/dev/null', '/dev/null'] 22 False True"


def test_daemonize_can_keep_output_that_is_no_terminal(tmp_path: Path) -> None:
    log, done = tmp_path / "log", tmp_path / "done"
    pid = os.fork()
    if pid == 0:
        try:
            fd = os.open(log, os.O_WRONLY | os.O_CREAT)
            os.dup2(fd, 1)
            util.daemonize(enable_stdio_inheritance=True)
            os.write(1, b"kept")
            (tmp_path / "part").write_text(os.readlink("/proc/self/fd/0"))
            (tmp_path / "part").rename(done)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    for _ in range(500):
        if done.exists():
            break
        time.sleep(0.01)
    assert (log.read_text(), done.read_text()) == ("kept", "/dev/null")


def test_a_reexecuted_master_is_in_the_background_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_FD", "3")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    util.daemonize()
