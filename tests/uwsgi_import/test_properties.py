"""Whatever a uWSGI file holds: no traceback, and a config file that is nothing but literals."""

from __future__ import annotations

import ast
import os
import tempfile
import tokenize
from io import BytesIO
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rgunicorn.config import KNOWN_SETTINGS, Config
from rgunicorn.settings.own import refuse_conflicts
from rgunicorn.uwsgi_import import reading, report, writing
from rgunicorn.uwsgi_import.option import Unreadable
from rgunicorn.uwsgi_import.table import ROWS, find
from rgunicorn.uwsgi_import.translation import translate, virtualenv

SETTINGS = {setting.name for setting in KNOWN_SETTINGS}
# Users, groups and directories that need not be here.
OF_THE_MACHINE = ("user", "group", "chdir", "unix_socket_owner", "static_map")
NAMES = [name.replace("*", "x") for row in ROWS for name in row.names]
# Of these an example may have several, so that what belongs together meets.
COMPOSED = [name for row in ROWS if row.fate is None for name in row.names]
WORDS = [
    *("", "1", "0", "7", "60", "4096", "100000", "33554432", "99999999999999999999", "-1", "1.5"),
    *("true", "off", "FALSE", ":80", "127.0.0.1:80", "/run/a.sock", "=0", "=0,c,k", "fd://3"),
    *("app", "app:app", "a.py", "/a/b.py", "a-b.c:d()", "A=1", "/s=/srv", "/=a.py", "file:/l"),
    *(":443,c,k,HIGH,!ca", "%(_)", "%(a + 1)", "$(HOME)", "%n", "%", "%%", "@(exec://a)", "660"),
    *("root:root", "www-data", "gevent", "[%(ltime)] %(addr) %(var.X) %(vsz)", 'a"b', "a'b"),
]
# What ends a line somewhere, or begins code.
NASTY = st.sampled_from(
    ["\x0b", "\x0c", "\r", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\ufeff", "\\", '"""', "'''"]
    + ["\nimport os", "#", "\udc80", "\u202e", "{", "%(", "$(", ")", "=", ";", " ", "\t", "é", "𝔘"]
)
TEXT = st.one_of(
    st.sampled_from(WORDS),
    st.lists(st.one_of(NASTY, st.sampled_from(WORDS), st.text(max_size=8)), max_size=4).map(
        "".join
    ),
)
LOGIC = ["for", "for-times", "endfor", "if-env", "else", "endif", "if-opt", "set", "set-ph"]
LINE = st.one_of(
    st.tuples(st.sampled_from(COMPOSED), TEXT),
    st.tuples(st.sampled_from([*NAMES, *LOGIC]), TEXT),
    st.tuples(TEXT, TEXT),
).map(lambda pair: f"{pair[0]} = {pair[1]}")
INI = st.lists(st.one_of(LINE, st.sampled_from(NAMES), TEXT), max_size=12).map(
    lambda lines: "\n".join(["[uwsgi]", *lines])
)


def imported(data: bytes, name: str) -> str | None:
    """The config file of a uWSGI file; None if that can not be read, which is said in one line."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(data)
        try:
            found = reading.read(str(path), None, {"HOME": "/root"})
            draft = translate(found)
        except Unreadable as exc:
            assert writing.plain(str(exc)).isprintable()
            return None
        assert report.as_text(draft, found.title)
        lines = [*draft.lines.values(), *draft.proposals]
        told = {(one.place, one.written) for line in lines for one in line.sources}
        told |= {(left.option.place, left.option.written) for left in draft.left}
        lost = {(one.place, one.written) for one in found.options if find(one.name)} - told
        assert not lost, "each option becomes something or is told"
        cfg = Config()
        for line in draft.lines.values():
            if line.setting not in OF_THE_MACHINE:
                cfg.set(line.setting, line.value)
        refuse_conflicts(cfg)
        return writing.as_file(draft, found.title, virtualenv(found), name)


def assert_literals(text: str) -> None:
    """Nothing but `SETTING = LITERAL`, however Python splits lines."""
    names = []
    for node in ast.parse(text.encode()).body:
        assert isinstance(node, ast.Assign)
        (target,) = node.targets
        assert isinstance(target, ast.Name)
        names.append(target.id)
        ast.literal_eval(node.value)
    assert set(names) <= SETTINGS and len(set(names)) == len(names)
    for line in text.splitlines():
        assert line.isprintable()
    assert text.splitlines() == text.split("\n")[:-1]
    list(tokenize.tokenize(BytesIO(text.encode()).readline))


# The same examples in each run, and no database of them.
STEADY: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow],
}


@settings(max_examples=300, **STEADY)
@given(INI)
def test_any_ini(text: str) -> None:
    written = imported(text.encode("utf-8", "surrogatepass"), "a.ini")
    if written is not None:
        assert_literals(written)


@settings(max_examples=100, **STEADY)
@given(st.binary(max_size=200), st.sampled_from(["a.ini", "a.xml", "a.json", "a.yaml", "a"]))
def test_any_bytes(data: bytes, name: str) -> None:
    for head in (b"", b"[uwsgi]\n", b"<uwsgi>", b'{"uwsgi": {', b"uwsgi:\n  "):
        written = imported(head + data, name)
        if written is not None:
            assert_literals(written)


@settings(max_examples=100, **STEADY)
@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXT), max_size=6))
def test_any_values_in_json(pairs: list[tuple[str, str]]) -> None:
    import json

    body = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pairs)
    written = imported(f'{{"uwsgi": {{{body}}}}}'.encode(), "a.json")
    if written is not None:
        assert_literals(written)


def test_a_name_that_would_be_code(tmp_path: Path) -> None:
    """The file's own name is in every comment."""
    path = tmp_path / "a\nimport os\u2028b\x0c.ini"
    path.write_text("[uwsgi]\nmodule = app\nspooler = a\n")
    location = os.fspath(path)
    found = reading.read(location, None, {})
    assert_literals(writing.as_file(translate(found), location, "/v\nx", "a\nb.py"))
