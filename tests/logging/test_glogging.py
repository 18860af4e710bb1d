"""The Logger as its subclasses and the settings use it."""

from __future__ import annotations

import datetime
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rgunicorn.glogging import Logger, SafeAtoms

PARITY = os.environ.get("RGUNICORN_PARITY_PYTHON")
ENVIRON = {
    "REMOTE_ADDR": "10.0.0.1",
    "REQUEST_METHOD": "GET",
    "RAW_URI": "/a?b",
    "PATH_INFO": "/a",
    "QUERY_STRING": "b",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def answer(**changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"status": "200 OK", "headers": [], "sent": 3, **changes})


def seconds(value: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=value)


class TestFiles:
    def test_error_lines(self, make_logger: Any, tmp_path: Path) -> None:
        path = tmp_path / "error.log"
        log = make_logger(errorlog=str(path), loglevel="WARNING")
        log.debug("no")
        log.info("no")
        log.warning("one %s", 1)
        log.error("two")
        log.critical("three")
        log.log("ERROR", "four")
        log.log(logging.INFO, "no")
        log.log("loud", "no: an unknown name is info")
        try:
            raise ValueError("five")
        except ValueError:
            log.exception("oops")

        text = path.read_text()
        start = rf"\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{{4}}\] \[{os.getpid()}\]"
        for level, message in (
            ("WARNING", "one 1"),
            ("ERROR", "two"),
            ("CRITICAL", "three"),
            ("ERROR", "four"),
            ("ERROR", "oops"),
        ):
            assert re.search(rf"^{start} \[{level}\] {message}$", text, re.M), text
        assert text.rstrip().endswith("ValueError: five")
        assert "no" not in text.splitlines()[0]
        assert "[INFO]" not in text

    @pytest.mark.parametrize("name", ["loud", "", "Info"])
    def test_unknown_level_is_info(self, make_logger: Any, name: str) -> None:
        log = make_logger(loglevel=name)
        assert log.loglevel == log.error_log.level == logging.INFO

    def test_unwritable_file(self, make_logger: Any, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "error.log"
        with pytest.raises(RuntimeError) as caught:
            make_logger(errorlog=str(path))
        reason = "FileNotFoundError(2, 'No such file or directory')"
        assert str(caught.value) == f"Error: '{path}' isn't writable [{reason}]"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_files_go_to_the_user(self, make_logger: Any, tmp_path: Path) -> None:
        log = make_logger(
            errorlog=str(tmp_path / "e"), accesslog=str(tmp_path / "a"), user=1234, group=4321
        )
        for name in ("e", "a"):
            os.rename(tmp_path / name, tmp_path / f"{name}.1")
        log.reopen_files()
        for name in ("e", "a", "e.1", "a.1"):
            status = os.stat(tmp_path / name)
            assert (status.st_uid, status.st_gid) == (1234, 4321), name

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root could give the device away")
    def test_devices_stay_whose_they_are(self, make_logger: Any) -> None:
        before = os.stat("/dev/null").st_uid
        make_logger(errorlog="/dev/null", accesslog="/dev/null", user=1234, group=4321)
        assert os.stat("/dev/null").st_uid == before

    def test_standard_streams(self, make_logger: Any, capfd: pytest.CaptureFixture[str]) -> None:
        log = make_logger(accesslog="-", access_log_format="%(s)s")
        log.access(answer(), [], ENVIRON, seconds(0))
        log.error("bad")
        out, err = capfd.readouterr()
        assert out == "200\n"
        assert err.endswith("[ERROR] bad\n")

    def test_setup_again_replaces_our_handlers_only(
        self, make_logger: Any, config: Any, tmp_path: Path
    ) -> None:
        log = make_logger(errorlog=str(tmp_path / "old"), accesslog=str(tmp_path / "old"))
        theirs = logging.NullHandler()
        log.error_log.addHandler(theirs)
        old = log.access_log.handlers[0]
        log.setup(config(errorlog=str(tmp_path / "new"), loglevel="debug"))
        log.debug("hello")
        assert theirs in log.error_log.handlers
        assert len(log.error_log.handlers) == 2
        assert log.access_log.handlers == []
        assert not log.access_log_enabled
        assert old.stream is None, "the old file is closed"
        assert "hello" in (tmp_path / "new").read_text()
        assert (tmp_path / "old").read_text() == ""

    def test_failed_setup_keeps_the_old_handlers(
        self, make_logger: Any, config: Any, tmp_path: Path
    ) -> None:
        log = make_logger(errorlog=str(tmp_path / "e"), accesslog=str(tmp_path / "a"))
        before = log.error_log.handlers[:], log.access_log.handlers[:], log.cfg
        with pytest.raises(RuntimeError, match="isn't writable"):
            log.setup(config(accesslog=str(tmp_path / "no" / "a"), loglevel="error"))
        assert (log.error_log.handlers, log.access_log.handlers, log.cfg) == before
        log.info("still here")
        assert "still here" in (tmp_path / "e").read_text()

    def test_close_on_exec(self, make_logger: Any, tmp_path: Path) -> None:
        log = make_logger(errorlog=str(tmp_path / "e"))
        fd = log.error_log.handlers[0].stream.fileno()
        os.set_inheritable(fd, True)
        log.close_on_exec()
        assert not os.get_inheritable(fd)

    def test_capture_output(self, tmp_path: Path) -> None:
        code = (
            "import os, sys, runpy; sys.path.insert(0, sys.argv[1]);"
            "from access_corpus import logger_config;"
            "from rgunicorn.glogging import Logger;"
            "log = Logger(logger_config(errorlog='e', capture_output=True));"
            "print('to stdout'); os.write(2, b'to stderr\\n'); log.error('to the log');"
            "sys.stdout.flush(); os.rename('e', 'e.1'); log.reopen_files();"
            "print('more'); sys.stdout.flush(); os.system('echo from a child'); log.error('new')"
        )
        command = [sys.executable, "-c", code, str(Path(__file__).parent)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")
        old, new = ((tmp_path / name).read_text() for name in ("e.1", "e"))
        assert "to stdout" in old and "to stderr" in old and "to the log" in old
        assert "more" in new and "from a child" in new and "new" in new


class TestAccess:
    @pytest.mark.parametrize(
        ("settings", "enabled"),
        [
            ({}, False),
            ({"accesslog": "-"}, True),
            ({"logconfig_dict": {"loggers": {}}}, True),
            ({"logconfig_json": "/nonexistent"}, True),
            ({"syslog": True}, True),
            ({"syslog": True, "disable_redirect_access_to_syslog": True}, False),
        ],
    )
    def test_enabled(self, make_logger: Any, settings: dict[str, Any], enabled: bool) -> None:
        assert make_logger(**settings).access_log_enabled is enabled

    def test_a_setup_of_ones_own_need_not_call_ours(self, make_logger: Any) -> None:
        class Own(Logger):
            def setup(self, cfg: Any) -> None:
                self.cfg = cfg

        assert make_logger(Own, accesslog="-").access_log_enabled is True

    def test_record_as_filters_read_it(self, make_logger: Any, tmp_path: Path) -> None:
        seen: list[logging.LogRecord] = []

        class Quiet(logging.Filter):
            def filter(self, record: logging.LogRecord) -> bool:
                seen.append(record)
                assert isinstance(record.args, dict)
                return not record.args["U"].startswith("/health")

        log = make_logger(accesslog=str(tmp_path / "a"), access_log_format="%(U)s %({x}i)s")
        log.access_log.addFilter(Quiet())
        log.access(answer(), [("X", "1")], ENVIRON, seconds(0))
        log.access(answer(), {"X": "2"}, {**ENVIRON, "PATH_INFO": "/healthz"}, seconds(0))
        assert [record.msg for record in seen] == ["%(U)s %({x}i)s"] * 2
        assert (tmp_path / "a").read_text() == "/a 1\n"

    def test_broken_wrapper_is_reported(self, make_logger: Any, tmp_path: Path) -> None:
        log = make_logger(errorlog=str(tmp_path / "e"), accesslog="-")

        def explode(*_: Any) -> None:
            raise KeyError("boom")

        log.access_log.info = explode
        try:
            log.access(answer(), [], ENVIRON, seconds(0))
        finally:
            del log.access_log.info
        assert "KeyError: 'boom'" in (tmp_path / "e").read_text()

    def test_environ_of_a_failed_request_is_completed(self, make_logger: Any) -> None:
        request = SimpleNamespace(
            method="POST",
            uri="/a%20b?c",
            path="/a%20b",
            query="c",
            version=(1, 0),
            headers=[("REFERER", "r1"), ("USER-AGENT", "u"), ("REFERER", "r2"), ("X", "y")]
            + [("AUTHORIZATION", "Basic dXNlcjpwYXNz"), ("CONTENT-TYPE", "t")],
        )
        log = make_logger(accesslog="-")
        atoms = log.atoms(answer(sent=None), request, {"REMOTE_ADDR": "h"}, seconds(0))
        known = {key: atoms[key] for key in "huUmqHrfabB"}
        assert known == {
            "h": "h",
            "u": "user",
            "U": "/a b",
            "m": "POST",
            "q": "c",
            "H": "HTTP/1.0",
            "r": "POST /a%20b?c HTTP/1.0",
            "f": "r1,r2",
            "a": "u",
            "b": "-",
            "B": None,
        }
        assert (atoms["{http_x}e"], atoms["{content_type}e"]) == ("y", "t")

    def test_nothing_known_is_dashes(self, make_logger: Any) -> None:
        atoms = make_logger(accesslog="-").atoms(answer(), [], {}, seconds(0))
        assert {key: atoms[key] for key in "hluUmqHrfa"} == {
            **dict.fromkeys("hluUmqHfa", "-"),
            "r": "- - -",
        }

    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            (seconds(0), (0, 0, 0, "0.000000")),
            (seconds(1.2345), (1, 1234, 1234500, "1.234500")),
            (seconds(90061.5), (90061, 90061500, 90061500000, "90061.500000")),
            (seconds(-1), (0, 0, 0, "0.000000")),
        ],
    )
    def test_times(self, make_logger: Any, time: Any, expected: tuple[Any, ...]) -> None:
        atoms = make_logger(accesslog="-").atoms(answer(), [], ENVIRON, time)
        assert tuple(atoms[key] for key in "TMDL") == expected

    def test_now(self, make_logger: Any) -> None:
        pattern = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
        assert re.fullmatch(pattern, make_logger().now())

    def test_safe_atoms(self) -> None:
        atoms = SafeAtoms({"a": 'x"y', "n": 1, "{host}i": "h\n\x1b\x85\xa0é"})
        assert atoms["a"] == 'x\\"y'
        assert atoms["n"] == 1
        assert atoms["{HOST}i"] == "h\\x0a\\x1b\\x85\xa0é"
        assert (atoms["{nope}i"], atoms["nope"]) == ("-", "-")


@pytest.mark.skipif(not PARITY, reason="RGUNICORN_PARITY_PYTHON names no Python with Gunicorn")
def test_names_and_values_are_gunicorns() -> None:
    code = (
        "import json, sys, importlib; g = importlib.import_module(sys.argv[1] + '.glogging');"
        "attributes = 'LOG_LEVELS loglevel error_fmt datefmt access_fmt syslog_fmt'.split();"
        "print(json.dumps([g.CONFIG_DEFAULTS, g.SYSLOG_FACILITIES,"
        " [getattr(g.Logger, name) for name in attributes],"
        " sorted(n for n in vars(g.Logger) if n.startswith(('_set_', '_get_')) or n[0] != '_')]))"
    )

    def facts(python: str, package: str) -> list[Any]:
        run = subprocess.run([python, "-c", code, package], check=True, stdout=subprocess.PIPE)
        return json.loads(run.stdout)

    assert PARITY is not None
    ours, theirs = facts(sys.executable, "rgunicorn"), facts(PARITY, "gunicorn")
    assert ours[:3] == theirs[:3]
    extra = set(ours[3]) - set(theirs[3])
    assert set(theirs[3]) <= set(ours[3])
    assert extra == {"native_access_fd", "native_access_flush", "access_choice"}
