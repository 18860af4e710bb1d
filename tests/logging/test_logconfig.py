"""Logging as the standard library configures it: dictionaries, ini, JSON."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from rgunicorn import glogging
from rgunicorn.glogging import CONFIG_DEFAULTS


class TestLogconfig:
    def test_dict_over_the_defaults(
        self, make_logger: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        handler = {"class": "logging.FileHandler", "filename": str(tmp_path / "app.log")}
        log = make_logger(
            loglevel="error",
            logconfig_dict={
                "handlers": {**CONFIG_DEFAULTS["handlers"], "file": handler},
                "loggers": {"shop": {"level": "INFO", "handlers": ["file"]}},
            },
        )
        logging.getLogger("shop").info("from the app")
        log.error("ours as before")
        assert (tmp_path / "app.log").read_text() == "from the app\n"
        assert "[ERROR] ours as before" in capfd.readouterr().err

    def test_dict_wins_over_json_over_ini(self, make_logger: Any, tmp_path: Path) -> None:
        path = tmp_path / "log.json"
        path.write_text(json.dumps({"loggers": {"shop": {"level": "ERROR"}}}))
        make_logger(logconfig_json=str(path), logconfig="/nonexistent")
        assert logging.getLogger("shop").level == logging.ERROR
        chosen = {"loggers": {"shop": {"level": "DEBUG"}}}
        make_logger(logconfig_dict=chosen, logconfig_json=str(path))
        assert logging.getLogger("shop").level == logging.DEBUG

    def test_missing_files(self, make_logger: Any) -> None:
        make_logger(logconfig_json="/nonexistent.json")
        with pytest.raises(RuntimeError) as caught:
            make_logger(logconfig="/nonexistent.ini")
        assert str(caught.value) == "Error: log config '/nonexistent.ini' not found"

    @pytest.mark.parametrize("bad", [{"handlers": {"x": {"class": "no.Such"}}}, {"root": 1}])
    def test_bad_dict(self, make_logger: Any, bad: dict[str, Any]) -> None:
        with pytest.raises(RuntimeError):
            make_logger(logconfig_dict=bad)

    def test_bad_json(self, make_logger: Any, tmp_path: Path) -> None:
        path = tmp_path / "log.json"
        path.write_text("{")
        with pytest.raises(RuntimeError, match="Expecting property name"):
            make_logger(logconfig_json=str(path))

    def test_ini_knows_where_it_is(self, make_logger: Any, tmp_path: Path) -> None:
        path = tmp_path / "log.ini"
        path.write_text(
            "[loggers]\nkeys=root,shop\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
            "[logger_root]\nlevel=INFO\nhandlers=\n"
            "[logger_shop]\nlevel=INFO\nhandlers=file\nqualname=shop\n"
            "[handler_file]\nclass=FileHandler\nargs=('%(here)s/app.log',)\n"
        )
        log = make_logger(logconfig=str(path), accesslog=str(tmp_path / "a"))
        logging.getLogger("shop").info("hello")
        assert (tmp_path / "app.log").read_text() == "hello\n"
        # logging.config closed it; it must not wait for a worker without rights to open it again.
        assert log.access_log.handlers[0].stream is not None

    def test_loggers_lists_real_loggers(self) -> None:
        logging.getLogger("parent.child")
        names = {logger.name for logger in glogging.loggers()}
        assert "parent.child" in names
        assert "parent" not in names
