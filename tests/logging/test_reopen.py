"""Log rotation: no line lost, nothing said, whatever the moment USR1 comes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest


def test_names_are_opened_again_root_included(make_logger: Any, tmp_path: Path) -> None:
    log = make_logger(errorlog=str(tmp_path / "e"), accesslog=str(tmp_path / "a"))
    shared = logging.FileHandler(tmp_path / "shared")
    late = logging.FileHandler(tmp_path / "late", delay=True)
    logging.root.addHandler(shared)
    shop = logging.getLogger("shop.orders")
    shop.setLevel(logging.INFO)
    for handler in (shared, late):
        shop.addHandler(handler)
    for name in ("e", "a", "shared"):
        os.rename(tmp_path / name, tmp_path / f"{name}.1")

    log.reopen_files()
    assert late.stream is None, "not opened before its first line"
    log.error("one")
    log.access_log.info("two")
    shop.info("three")
    for handler in (shared, late):
        shop.removeHandler(handler)
        handler.close()

    assert "one" in (tmp_path / "e").read_text()
    assert (tmp_path / "a").read_text() == "two\n"
    assert (tmp_path / "shared").read_text() == "three\nthree\n"
    assert (tmp_path / "late").read_text() == "three\n"
    assert {(tmp_path / f"{name}.1").read_text() for name in ("e", "a", "shared")} == {""}


def test_a_file_that_cannot_be_opened_goes_on(make_logger: Any, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = make_logger(
        errorlog=str(tmp_path / "e"), accesslog=str(tmp_path / "logs" / "a"), access_log_format="x"
    )
    os.rename(tmp_path / "logs", tmp_path / "moved")
    log.reopen_files()
    log.access_log.info("kept")
    assert (tmp_path / "moved" / "a").read_text() == "kept\n"
    assert "Can't reopen log file: [Errno 2]" in (tmp_path / "e").read_text()


def test_a_handler_with_an_opener_of_its_own(make_logger: Any, tmp_path: Path) -> None:
    class Stamped(logging.FileHandler):
        def _open(self) -> Any:
            stream = super()._open()
            stream.write("opened\n")
            return stream

    log = make_logger(errorlog=str(tmp_path / "e"))
    handler = Stamped(tmp_path / "own")
    log.error_log.addHandler(handler)
    handler.flush()
    os.rename(tmp_path / "own", tmp_path / "own.1")
    log.reopen_files()
    log.error("line")
    log.error_log.removeHandler(handler)
    handler.close()
    assert (tmp_path / "own.1").read_text() == "opened\n"
    assert (tmp_path / "own").read_text() == "opened\nline\n"


def test_a_stream_in_use_is_not_closed(make_logger: Any, tmp_path: Path) -> None:
    """USR1 in the middle of `emit`: the same thread, so the handler's lock lets it in."""
    log = make_logger(errorlog="-", accesslog=str(tmp_path / "a"))
    handler = log.access_log.handlers[0]
    format = handler.format

    def interrupted(record: logging.LogRecord) -> str:
        text = format(record)
        os.rename(tmp_path / "a", tmp_path / "a.1")
        log.reopen_files()
        return text

    stream = handler.stream
    stream.write("half ")
    handler.format = interrupted
    log.access_log.info("line")
    assert handler.stream is stream
    assert (tmp_path / "a").read_text() == "half line\n"


def test_a_second_usr1_inside_the_first(make_logger: Any, tmp_path: Path) -> None:
    log = make_logger(errorlog=str(tmp_path / "e"))
    done = threading.Event()

    def nested() -> None:
        with log.lock:
            log.reopen_files()
        done.set()

    log.logfile = open(tmp_path / "captured", "a+")  # noqa: SIM115
    log._reopen = lambda reopen: None  # the captured descriptors are pytest's own
    threading.Thread(target=nested, daemon=True).start()
    assert done.wait(30)


WRITER = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
from access_corpus import logger_config
from rgunicorn.glogging import Logger

log = Logger(logger_config(accesslog="a", errorlog="e"))
reopened = 0

def reopen(*_):
    global reopened
    log.reopen_files()
    reopened += 1

signal.signal(signal.SIGUSR1, reopen)
fd = log.native_access_fd()
COUNT = 20_000

def write(thread):
    for number in range(COUNT):
        if thread == "native":
            os.write(fd, f"{thread} {number}\\n".encode())
        else:
            log.access_log.info("%s %s", thread, number)

def rotate():
    for number in range(200):
        os.rename("a", f"a.{number}")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        # One after the other: two hundred handlers inside each other are too deep for Python.
        while reopened <= number:
            if not threading.main_thread().is_alive():
                return

threads = [threading.Thread(target=write, args=(name,)) for name in ("native", "one", "two")]
threads.append(threading.Thread(target=rotate))
for thread in threads:
    thread.start()
write("main")
for thread in threads:
    while thread.is_alive():
        thread.join(0.01)
"""


@pytest.mark.timeout(300)
def test_no_line_is_lost_under_fire(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for path in tmp_path.iterdir() if path.name.startswith("a")]
    assert len(files) == 201
    lines = sorted(line for path in files for line in path.read_text().splitlines())
    names = ("native", "one", "two", "main")
    assert lines == sorted(f"{name} {number}" for name in names for number in range(20_000))
