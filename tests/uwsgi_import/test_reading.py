"""Files as uWSGI reads them: its own ini, placeholders, logic, includes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from rgunicorn.uwsgi_import.option import Option, Unreadable
from uwsgi_import.options import pairs, read


def ini(directory: Path, text: str, name: str = "a.ini") -> Path:
    path = directory / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def values(directory: Path, text: str, **environ: str) -> list[tuple[str, str | None]]:
    return pairs(read(ini(directory, f"[uwsgi]\n{text}"), **environ))


def one(directory: Path, line: str, **environ: str) -> Option:
    (option,) = read(ini(directory, f"[uwsgi]\n{line}\n"), **environ)
    return option


def test_ini(tmp_path: Path) -> None:
    text = (
        "\ufefflost = 1\r\n[other]\nx=1\n[uwsgi]\r\n; a\n # b\n\tmaster\nenv = A=1 # no comment \n"
    )
    text += (
        "env=\nenv = B\n  socket  =  :1  \n[other]\ny=2\n[uwsgi]\nlast = \x0c1\nnot[a]section = 3"
    )
    options = read(ini(tmp_path, text))
    assert pairs(options) == [
        ("master", ""),
        ("env", "A=1 # no comment"),
        ("env", ""),
        ("env", "B"),
        ("socket", ":1"),
        ("last", "\x0c1"),
        ("not[a]section", "3"),
    ]
    assert str(options[4].place) == f"{tmp_path}/a.ini:11"
    assert options[4].written == "socket  =  :1"


def test_other_sections(tmp_path: Path) -> None:
    path = ini(tmp_path, "[uwsgi]\na = 1\nini = :app\n[app]\nb = %x\n")
    assert pairs(read(path)) == [("a", "1"), ("b", "app")]
    assert pairs(read(f"{path}:app")) == [("b", "app")]
    with pytest.raises(Unreadable, match=r"a\.ini: there is nothing in a section \[none\]"):
        read(f"{path}:none")


def test_magic(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    path = ini(tmp_path / "conf.d", "[uwsgi]\nv = %n|%e|%s|%c|%d|%p|%0|%%|%x\n", "shop.v.ini")
    parts = str(tmp_path).split("/")
    assert read(path)[0].value == "|".join(
        ("shop.v", "ini", "shop.v.ini", "conf.d", f"{path.parent}/", str(path), parts[1], "%", "")
    )


def test_magic_of_the_machine_is_noted(tmp_path: Path) -> None:
    option = one(tmp_path, "processes = %k")
    assert option.value == str(os.cpu_count())
    assert option.notes == (f"%k is '{os.cpu_count()}' here.",)
    assert one(tmp_path, "a = %u-%U-%g-%G-%h-%v").is_sure
    assert "version of uWSGI" in one(tmp_path, "a = %V").unclear
    dropped = one(tmp_path, "a = 10%z")
    assert dropped.value == "10" and "%%" in dropped.notes[0]


def test_magic_of_the_first_file(tmp_path: Path) -> None:
    ini(tmp_path, "[uwsgi]\nb = %n %N\n", "base.ini")
    path = ini(tmp_path, f"[uwsgi]\ninclude = {tmp_path}/base.ini\n", "top.ini")
    assert values_of(path) == [("b", "base top")]


def values_of(path: Path) -> list[tuple[str, str | None]]:
    return pairs(read(path))


def test_placeholders(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    text = f"""base = /srv
set-placeholder = app=shop
home = %(base)/%(app)/venv
all = %(home)%(nothing)
file = @({tmp_path}/token)
sum = %(n + 2 * 3)
cat = %(n n ++)
half = %(sum / 2)
less = %(n - 6)
odd = %(a(b))
n = 4
a(b) = 5
flag
is = %(flag)
"""
    found = dict(values(tmp_path, text))
    assert found["home"] == "/srv/shop/venv"
    assert found["all"] == "/srv/shop/venv%(nothing)"
    assert found["file"] == "s3cret"
    assert (found["sum"], found["cat"], found["half"]) == ("18", "45", "9")
    assert (found["less"], found["odd"]) == ("-2", "5")
    assert found["is"] == ""


def test_placeholders_that_can_not_be_known(tmp_path: Path) -> None:
    text = "[uwsgi]\nif-env = HOME\na = 1\nendif\nb = %(a)\nc = %(d)\nd = $(NOT_THERE)\n"
    found = {option.name: option.unclear for option in read(ini(tmp_path, text))}
    assert "depends on 'if-env = HOME'" in found["b"]
    assert "NOT_THERE is not set" in found["c"] and found["c"] == found["d"]
    assert "in a circle" in one(tmp_path, "a = x%(a)%(a)" + "x" * 9000).unclear


def test_environment(tmp_path: Path) -> None:
    option = one(tmp_path, "processes = $(WORKERS)", WORKERS="7")
    assert option.value == "7" and "$(WORKERS)" in option.notes[0]
    assert "WORKERS is not set" in one(tmp_path, "processes = $(WORKERS)").unclear


@pytest.mark.parametrize("scheme", ["exec", "http", "call", "data", "sym", "fd"])
def test_nothing_is_run_or_fetched(tmp_path: Path, scheme: str) -> None:
    mark = tmp_path / "ran"
    for line in (f"a = @({scheme}://touch {mark})", f"ini = {scheme}://touch {mark}"):
        assert "nothing is run" in one(tmp_path, line).unclear
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "a = %(a)x",
        "a = %(b)\nb = %(a)",
        "".join(f"a{i} = %(a{i + 1})%(a{i + 1})\n" for i in range(40)) + "a40 = xx",
        "a = @(/dev/zero)",
        "a = @(/nowhere)",
        "a = %(b\nb = (",
        "a = %()",
    ],
)
def test_placeholders_without_an_end(tmp_path: Path, text: str) -> None:
    for option in read(ini(tmp_path, f"[uwsgi]\n{text}\n")):
        assert option.unclear or len(option.text) <= 65536


def test_loops_and_questions(tmp_path: Path) -> None:
    text = """for = 1 2
socket = :303%(_)
flag
endfor =
for-times = 2
mule = %(_)
end-for
if-opt = flag
yes = 1
else =
no = 1
endif =
if-not-opt = socket=:3031
no = 2
endif
if-opt = socket=:3031
yes = %(_)
endif
"""
    assert values(tmp_path, text) == [
        ("socket", ":3031"),
        ("socket", ":3032"),
        ("flag", ""),
        ("flag", ""),
        ("mule", "1"),
        ("mule", "2"),
        ("yes", "1"),
        ("no", "1"),
        ("yes", ":3031"),
    ]
    assert "which uWSGI 2.0 ignores" in read(tmp_path / "a.ini")[7].condition


def test_blocks_in_blocks(tmp_path: Path) -> None:
    skipped = "if-opt = none\nif-opt = other\na = 1\nendif =\nb = 2\n"
    assert values(tmp_path, skipped) == [("b", "2")]
    with pytest.raises(Unreadable, match="inside of the block of .*a.ini:2, which uWSGI refuses"):
        values(tmp_path, "for = 1 2\nif-opt = none\na = 1\nendfor\n")


def test_lines_that_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="has no NAME=VALUE"):
        values(tmp_path, "set-placeholder = shop\n")
    with pytest.raises(Unreadable, match="'' names no file"):
        read("")


def test_questions_about_the_machine_stay_open(tmp_path: Path) -> None:
    text = "[uwsgi]\nif-env = HOME\na = 1\nelse =\na = 2\nendif =\na = 3\n"
    found = [option.condition for option in read(ini(tmp_path, text), HOME="/")]
    place = f"'if-env = HOME' ({tmp_path}/a.ini:2)"
    assert found == [place, f"the else of {place}, which uWSGI 2.0 ignores", ""]


def test_includes(tmp_path: Path) -> None:
    ini(tmp_path, "[uwsgi]\nfirst = 1\n", "one.ini")
    ini(tmp_path, "[uwsgi]\nlate = 1\n", "late.ini")
    (tmp_path / "two.json").write_text('{"uwsgi": {"second": 2}}')
    text = f"inherit = {tmp_path}/late.ini\nini = {tmp_path}/one.ini\nx = 1\n"
    text += f"include = {tmp_path}/two.json\n"
    assert values(tmp_path, text) == [
        ("first", "1"),
        ("x", "1"),
        ("second", "2"),
        ("late", "1"),
    ]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"no\.ini: No such file"):
        read(tmp_path / "no.ini")
    path = ini(tmp_path, "[uwsgi]\n\nini = /no.ini\n")
    with pytest.raises(Unreadable, match=r"a\.ini:3: ini = /no\.ini: /no\.ini: No such file"):
        read(path)
    with pytest.raises(Unreadable, match="is a directory"):
        read(tmp_path)


def test_files_that_include_each_other(tmp_path: Path) -> None:
    ini(tmp_path, f"[uwsgi]\nini = {tmp_path}/a.ini\n", "b.ini")
    path = ini(tmp_path, f"[uwsgi]\nini = {tmp_path}/b.ini\n")
    with pytest.raises(Unreadable, match="includes itself"):
        read(path)
    many = "".join(f"ini = {tmp_path}/b.ini\n" for _ in range(300))
    ini(tmp_path, "[uwsgi]\nx = 1\n", "b.ini")
    with pytest.raises(Unreadable, match="too many files"):
        read(ini(tmp_path, f"[uwsgi]\n{many}"))


@pytest.mark.parametrize("text", ["for-times = 99999", "for = " + "a " * 2000])
def test_a_loop_has_an_end(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable, match="turns"):
        read(ini(tmp_path, f"[uwsgi]\n{text}\nx = %(_)\n"))


def test_loops_of_includes_have_an_end(tmp_path: Path) -> None:
    ini(tmp_path, "[uwsgi]\n" + "x = 1\n" * 500, "b.ini")
    text = f"[uwsgi]\nfor-times = 1000\nini = {tmp_path}/b.ini\n"
    with pytest.raises(Unreadable, match="too many files|options"):
        read(ini(tmp_path, text))


def test_large_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="larger than"):
        read(ini(tmp_path, "[uwsgi]\n;" + "x" * (1 << 20)))
    with pytest.raises(Unreadable, match="larger than"):
        read("/dev/zero")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    say("[uwsgi]\na = %n\nb = 1\n")
    first, second = read("-")
    assert "standard input has none" in first.unclear
    assert str(second.place) == "standard input:3"
    say("\n<uwsgi><a>1</a></uwsgi>")
    assert pairs(read("-")) == [("a", "1")]
    say('{"uwsgi": {"a": 1}}')
    assert pairs(read("-")) == [("a", "1")]
    say("uwsgi:\n  a: 1\n")
    assert pairs(read("-", "yaml")) == [("a", "1")]
