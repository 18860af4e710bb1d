"""Each setting has the name, flags, type, default, order and class that Gunicorn's has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rgunicorn import config
from rgunicorn.config import KNOWN_SETTINGS

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "gunicorn_settings.json").read_text()
)
OURS = {setting.name: setting for setting in KNOWN_SETTINGS}

# Their defaults depend on the machine, on the user or on the environment.
COMPUTED = {"chdir", "user", "group", "control_socket", "bind", "workers", "forwarded_allow_ips"}

# Prints what `KNOWN_SETTINGS` of a package holds, as JSON.
# Ours, with the defaults as they are stored.
OWN = {
    "sync_keepalive": False,
    "request_buffer_size": 64 << 10,
    "request_buffer_limit": 16 << 20,
    "response_buffer_size": 1 << 20,
    "response_buffer_limit": 64 << 20,
    "client_header_timeout": 60,
    "client_body_timeout": 60,
    "client_write_timeout": 60,
    "reload_strategy": "ready",
    "touch_reload": [],
    "shutdown_delay": 0,
    "preload_freeze": True,
    "worker_keeper": False,
    "request_timeout": 0,
    "log_slow": 0,
    "max_rss": 0,
    "max_rss_hard": 0,
    "max_worker_lifetime": 0,
    "max_worker_lifetime_jitter": 0,
    "max_queue": 0,
    "max_queue_time": 0,
    "min_workers": 0,
    "max_workers": 0,
    "status_bind": None,
    "access_log_when": "all",
    "access_log_skip": [],
    "request_id_header": None,
    "static_map": [],
    "unix_socket_owner": None,
    "unix_socket_mode": None,
}

DUMP = """
import importlib, json, sys
config = importlib.import_module(sys.argv[1] + ".config")
print(json.dumps([
    {
        "class": s.__name__, "name": s.name, "section": s.section, "order": s.order, "cli": s.cli,
        "meta": s.meta, "action": s.action, "nargs": s.nargs, "const": s.const,
        "type": getattr(s.type, "__name__", None),
        "validator": s.validator.__name__,
        "default": s.default.__qualname__ if callable(s.default) else s.default,
        "value": s().value.__qualname__ if callable(s.default) else s().value,
        "short": s.short,
    }
    for s in config.KNOWN_SETTINGS if s.section != "rgunicorn"
]))
"""


def test_there_are_all_of_gunicorns_settings_and_ours_after_them() -> None:
    assert [s.name for s in KNOWN_SETTINGS][: len(FACTS)] == [fact["name"] for fact in FACTS]
    assert [s.name for s in KNOWN_SETTINGS if s.section == "rgunicorn"] == list(OWN)
    assert [s.order for s in KNOWN_SETTINGS] == list(range(len(KNOWN_SETTINGS)))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["name"])
def test_setting_is_declared_as_in_gunicorn(fact: dict[str, Any]) -> None:
    setting = OURS[fact["name"]]
    assert setting.section == fact["section"]
    assert setting.order == fact["order"]
    assert (setting.cli or []) == fact["cli"]
    assert setting.meta == fact["meta"]
    assert setting.action == fact["action"]
    assert setting.nargs == fact["nargs"]
    assert setting.const == fact["const"]
    assert getattr(setting.type, "__name__", None) == fact["type"]
    assert validator_name(setting, fact["validator"]) == fact["validator"]
    if fact["default"] == "<callable>":
        assert callable(setting.default)
    elif fact["name"] not in COMPUTED:
        assert setting.default == fact["default"]
        assert setting().value == fact.get("default_validated", fact["default"])


@pytest.mark.parametrize("name", OWN)
def test_our_own_settings(name: str) -> None:
    setting = OURS[name]
    assert setting.cli == ["--" + name.replace("_", "-")]
    assert setting().value == OWN[name]
    assert setting().has_default


def validator_name(setting: Any, expected: str) -> str:
    if expected.startswith("validate_callable("):
        arity = int(expected[len("validate_callable(") : -1])
        with pytest.raises(TypeError, match=f"arity of: {arity}"):
            setting.validator(lambda a, b, c, d, e, f: None)
        return expected
    return setting.validator.__name__


def test_known_settings_equal_those_of_the_real_gunicorn(
    parity_python: str, tmp_path: Path
) -> None:
    theirs = dump(parity_python, "gunicorn", tmp_path)
    ours = dump(sys.executable, "rgunicorn", tmp_path)
    for entry in (*theirs, *ours):
        del entry["short"]
    assert ours == theirs


def test_no_help_sentence_is_gunicorns(parity_python: str, tmp_path: Path) -> None:
    theirs = {entry["name"]: entry["short"] for entry in dump(parity_python, "gunicorn", tmp_path)}
    assert [s.name for s in KNOWN_SETTINGS if theirs.get(s.name) == s.short] == []


def dump(python: str, package: str, cwd: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [python, "-c", DUMP, package], cwd=cwd, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_classes_and_validators_can_be_imported_from_config() -> None:
    for setting in KNOWN_SETTINGS:
        assert getattr(config, setting.__name__) is setting
    for fact in FACTS:
        if not fact["validator"].startswith("validate_callable("):
            assert callable(getattr(config, fact["validator"]))


def test_every_setting_explains_itself() -> None:
    for setting in KNOWN_SETTINGS:
        assert setting.short.endswith((".", ":")), setting.name
        assert len(setting.short) <= 100, setting.name


def test_abbreviations_of_gunicorns_flags_stay_unique() -> None:
    """What means one flag there means the same here, whatever flags of ours begin like it."""
    parser = config.Config().parser()
    setting = {f: fact["name"] for fact in FACTS for f in fact["cli"] if f.startswith("--")}
    flags = [*setting, "--help", "--version"]
    own = [f for s in KNOWN_SETTINGS[len(FACTS) :] for f in s.cli or [] if f.startswith("--")]
    shared = 0
    for flag, name in setting.items():
        for end in range(3, len(flag)):
            prefix = flag[:end]
            if sum(other.startswith(prefix) for other in flags) != 1:
                continue
            if not any(other.startswith(prefix) for other in own):
                continue
            shared += 1
            action = OURS[name].action
            words = [prefix] if action in ("store_true", "store_const") else [prefix, "1"]
            assert getattr(parser.parse_args(words), name) is not None, prefix
    assert shared


def test_abbreviations_of_our_own_flags() -> None:
    parser = config.Config().parser()
    assert parser.parse_args(["--request-t=9"]).request_timeout == "9"
    assert parser.parse_args(["--preload"]).preload_app is True
    assert parser.parse_args(["app", "--", "--pre"]).args == ["app", "--pre"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--max-r", "9"])


def test_a_setting_declared_elsewhere_is_known_like_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from rgunicorn.settings import base

    monkeypatch.setattr(base, "KNOWN_SETTINGS", known := list(KNOWN_SETTINGS))

    class Flavour(config.Setting):
        name = "flavour"
        section = "Ice cream"
        cli = ["--flavour"]
        validator = config.validate_string
        default = " vanilla "
        desc = """\
            Which one.

                indented
            """

    assert known[-1] is Flavour
    assert Flavour.order == len(KNOWN_SETTINGS)
    assert Flavour.short == "Which one."
    assert Flavour.desc == "Which one.\n\n    indented"
    cfg = config.Config()
    assert cfg.flavour == "vanilla"
    assert cfg.parser().parse_args(["--flavour", "lemon"]).flavour == "lemon"
    assert "flavour" not in config.make_settings(ignore=["flavour"])


def test_boot_imports_nothing_slow() -> None:
    slow = {"argparse", "inspect", "ipaddress", "random", "shlex", "ssl", "typing", "urllib.parse"}
    path = str(Path(config.__file__).parent.parent)
    code = (
        # What logging brings along is Python's own choice: `inspect`, from 3.14 on.
        f"import sys, logging; sys.path.insert(0, {path!r}); before = set(sys.modules)\n"
        "import rgunicorn.app.wsgiapp, rgunicorn.config; rgunicorn.config.Config()\n"
        "print(*sys.modules.keys() - before)"
    )
    # -S: site-packages may import anything at the start (coverage, editable installs).
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert slow.intersection(done.stdout.split()) == set()
