"""The machine has no descriptors, memory or processes for a while: nobody can boot meanwhile."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from harness.proc import waits
from harness.wait import until
from harness.wire import ask, get
from rgunicorn import scarcity

# Raises while the file exists that `WANT` names.
HOOK = """
import errno, os

def {hook}:
    if os.path.exists(os.environ["WANT"]):
        {act}
"""
NO_FILES = "raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))"
NO_MEMORY = """
        try:
            raise MemoryError
        except MemoryError as exc:
            raise ImportError("as some libraries have it") from exc
"""


def killed(server):
    """SIGKILL to all workers at once."""
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.ours("Gunicorn ends with code 3, or 1, or 255")
@pytest.mark.parametrize(
    ("hook", "act", "said"),
    [
        ("post_fork(server, worker)", NO_FILES, "Workers die soon after boot"),
        ("post_worker_init(worker)", NO_MEMORY, "Workers die soon after boot"),
        ("pre_fork(server, worker)", NO_FILES, "No room for a worker that is missing"),
    ],
)
def test_a_server_that_has_served_comes_back(serve, tmp_path, hook, act, said):
    want = tmp_path / "want"
    server = serve(config=HOOK.format(hook=hook, act=act), env={"WANT": str(want)})
    old = server.workers()
    assert len(old) == 2
    # Both have to have booted: else it has never served as it should.
    until(lambda: all(waits(pid) for pid in old), "both to wait for clients", show=server.log)
    want.touch()
    killed(server)
    # The second round at least, and nobody serves.
    server.wait_log(said, 2)
    assert server.running()
    want.unlink()

    def back() -> bool:
        now = server.workers()
        return len(now) == 2 and not set(now) & set(old)

    until(back, "new workers", show=server.log)
    assert ask(server.address, get("/")).status == 200
    log = server.assert_clean_exit()
    assert "Worker failed to boot." not in log


def test_one_that_has_never_served_ends(serve, tmp_path):
    want = tmp_path / "want"
    want.touch()
    config = HOOK.format(hook="post_worker_init(worker)", act=NO_FILES)
    server = serve(config=config, env={"WANT": str(want)}, ready=False, workers=1)
    assert server.wait_exit() == 3
    assert "[ERROR] Reason: Worker failed to boot." in server.log()


@pytest.mark.ours("a unit of ours")
def test_what_is_a_want_of_the_machine():
    def chained(inner: BaseException, *, hidden: bool = False) -> BaseException:
        try:
            try:
                raise inner
            except BaseException:
                if hidden:
                    raise LookupError("hidden") from None
                raise LookupError("seen")  # noqa: B904
        except LookupError as exc:
            return exc

    no_files = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    shared = "libx.so.1: cannot open shared object file"
    for exc in (
        no_files,
        MemoryError(),
        OSError(errno.ENOSPC, "inotify watch limit reached"),
        BlockingIOError(errno.EAGAIN, "fork"),
        OSError("Too many open files (os error 24)"),
        RuntimeError("can't start new thread"),
        ImportError(f"{shared}: {os.strerror(errno.EMFILE)}"),
        ImportError(f"libx.so.1: failed to map segment: {os.strerror(errno.ENOMEM)}"),
        chained(no_files),
        chained(MemoryError(), hidden=True),
    ):
        assert scarcity.is_cause(exc), repr(exc)
    for exc in (
        FileNotFoundError(errno.ENOENT, "settings.json"),
        PermissionError(errno.EACCES, "settings.json"),
        ConnectionRefusedError(errno.ECONNREFUSED, "the database"),
        OSError("No such file or directory (os error 2)"),
        OSError("no number"),
        ImportError("No module named 'flask'"),
        # A library that needs room which never comes: glibc's words for it.
        ImportError("libx.so.1: cannot allocate memory in static TLS block"),
        ImportError(f"{shared}: {os.strerror(errno.ENOENT)}"),
        RuntimeError("another"),
        chained(KeyError("x")),
        KeyboardInterrupt(),
    ):
        assert not scarcity.is_cause(exc), repr(exc)


@pytest.mark.ours("a unit of ours")
def test_a_chain_that_goes_in_circles():
    one, other = ValueError(), ValueError()
    one.__cause__, other.__context__ = other, one
    assert not scarcity.is_cause(one)
