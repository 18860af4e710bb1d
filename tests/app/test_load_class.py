"""`gunicorn.util.load_class`: worker and logger classes by name, path and entry point."""

from __future__ import annotations

import io
import sys
from importlib import metadata
from types import ModuleType

import pytest

from rgunicorn import util


class Loaded:
    pass


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("rgunicorn.own_for_tests")
    module.Loaded = Loaded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rgunicorn.own_for_tests", module)


@pytest.mark.usefixtures("own_module")
def test_load_class(monkeypatch: pytest.MonkeyPatch) -> None:
    import rgunicorn.workers

    aliases = {"mine": "gunicorn.own_for_tests.Loaded"}
    monkeypatch.setattr(rgunicorn.workers, "SUPPORTED_WORKERS", aliases, raising=False)
    for uri in (Loaded, "rgunicorn.own_for_tests.Loaded", "gunicorn.own_for_tests.Loaded", "mine"):
        assert util.load_class(uri) is Loaded
    assert util.load_class("#mine") is Loaded
    assert util.load_class("io.BytesIO") is io.BytesIO


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("no_module.Class", "No module named 'no_module'"),
        ("io.NoClass", "has no attribute 'NoClass'"),
        ("egg:no-such-dist#x", "no-such-dist"),
        ("egg:pytest#x", "Entry point ('gunicorn.workers', 'x') not found"),
        ("egg:pytest", "Entry point ('gunicorn.workers', 'gunicorn.workers.sync.Sync"),
    ],
)
def test_classes_that_are_not_there(uri: str, cause: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        util.load_class(uri)
    assert str(caught.value).startswith(f"class uri {uri!r} invalid or not found: \n\n[")
    assert cause in str(caught.value)
    assert caught.value.__cause__ is not None


def test_entry_points() -> None:
    # pytest's own command stands for a worker of another distribution.
    (point,) = metadata.entry_points(group="console_scripts", name="pytest")
    command = point.load()
    assert util.load_class("egg:pytest#pytest", section="console_scripts") is command
    assert util.load_entry_point("pytest", "console_scripts", "pytest") is command
