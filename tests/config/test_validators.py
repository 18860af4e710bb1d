"""What a value may be and what becomes of it."""

from __future__ import annotations

import subprocess
import warnings
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from config import own_validator_cases, validator_cases
from rgunicorn import config, util
from rgunicorn.config import KNOWN_SETTINGS


def test_values_come_out_as_expected() -> None:
    cases = [*validator_cases.CASES, *own_validator_cases.CASES]
    assert validator_cases.failures(KNOWN_SETTINGS, cases) == []


def test_gunicorn_answers_the_same(parity_python: str) -> None:
    code = (
        "import gunicorn.config; from config import validator_cases\n"
        "known, cases = gunicorn.config.KNOWN_SETTINGS, validator_cases.CASES\n"
        "print(*validator_cases.failures(known, cases), sep='\\n')"
    )
    here = Path(__file__).parents[1]
    done = subprocess.run([parity_python, "-c", code], cwd=here, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_every_kind_of_validator_is_in_the_table() -> None:
    tried = {name for name, _, _ in (*validator_cases.CASES, *own_validator_cases.CASES)}
    by_name = {setting.name: setting.validator.__name__ for setting in KNOWN_SETTINGS}
    assert set(by_name.values()) == {by_name[name] for name in tried}


@pytest.mark.parametrize(
    ("text", "number"), [("0022", 18), ("0o22", 18), ("0x12", 18), ("18", 18), ("0", 0)]
)
def test_umask_on_the_command_line(text: str, number: int) -> None:
    assert config.auto_int(None, text) == number
    assert config.Config().parser().parse_args(["--umask", text]).umask == number


@pytest.mark.parametrize("count", [2, 3, 4])
def test_post_request_hooks_of_older_forms_are_called_with_what_they_take(count: int) -> None:
    seen: list[tuple[Any, ...]] = []
    hook = {
        2: lambda a, b: seen.append((a, b)),
        3: lambda a, b, c: seen.append((a, b, c)),
        4: lambda a, b, c, d: seen.append((a, b, c, d)),
    }[count]
    config.validate_post_request(hook)("worker", "req", "environ", "resp")
    assert seen == [("worker", "req", "environ", "resp")[:count]]


def two(server: Any, worker: Any) -> None: ...


@wraps(two)
def wrapped(*args: Any) -> None: ...


class Callable2:
    def __call__(self, server: Any, worker: Any) -> None: ...

    def method(self, server: Any, worker: Any) -> None: ...


@pytest.mark.parametrize(
    "hook",
    [two, wrapped, partial(two), Callable2(), Callable2().method, lambda a, b: None],
    ids=["function", "wrapped", "partial", "object", "method", "lambda"],
)
def test_all_kinds_of_functions_can_be_hooks(hook: Any) -> None:
    assert util.get_arity(hook) == 2
    assert config.validate_callable(2)(hook) is hook


def test_a_pattern_that_matches_nothing_yet_is_taken_with_a_warning() -> None:
    with pytest.warns(RuntimeWarning, match="Pattern /none/\\*.x currently matches no files."):
        assert config.validate_list_of_files_or_patterns(["/none/*.x"]) == ["/none/*.x"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert config.validate_list_of_files_or_patterns(["/etc/*"]) == ["/etc/*"]


def test_ssl_version_is_ignored_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert config.validate_ssl_version("TLSv1_2") == "TLSv1_2"
    assert capsys.readouterr().err == (
        "Warning: option `ssl_version` is deprecated and it is ignored. Use ssl_context instead.\n"
    )


def test_a_setting_without_a_validator_can_not_be_set() -> None:
    class Nameless(config.Setting):
        name = "nameless"

    config.KNOWN_SETTINGS.remove(Nameless)
    with pytest.raises(TypeError, match="Invalid validator: nameless"):
        Nameless().set(1)


def test_the_default_post_fork_and_others_do_nothing() -> None:
    cfg = config.Config()
    for setting in KNOWN_SETTINGS:
        if setting.section == "Server Hooks" and setting.name not in ("pre_request", "ssl_context"):
            hook = cfg.settings[setting.name].get()
            assert hook(*[None] * util.get_arity(hook)) is None


def test_reload_engines_are_those_of_the_reloader() -> None:
    reloader = pytest.importorskip("rgunicorn.reloader")
    from rgunicorn.settings.debugging import RELOAD_ENGINES

    assert sorted(reloader.reloader_engines) == sorted(RELOAD_ENGINES)
