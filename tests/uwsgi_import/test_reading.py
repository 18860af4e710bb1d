"""Files as uWSGI reads them: its own ini, XML, JSON, YAML; placeholders, logic, includes."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from rgunicorn.uwsgi_import import reading
from rgunicorn.uwsgi_import.option import Option, Unreadable


def read(location: Path | str, kind: str | None = None, **environ: str) -> list[Option]:
    return list(reading.read(str(location), kind, environ).options)


def pairs(options: list[Option]) -> list[tuple[str, str | None]]:
    return [(option.name, option.value) for option in options]


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


def xml(directory: Path, text: str) -> Path:
    path = directory / "a.xml"
    path.write_text(text)
    return path


def test_xml(tmp_path: Path) -> None:
    text = """<?xml version="1.0"?>
<uwsgi>
  <socket> :3031 </socket><!-- a comment -->
  <master/>
  <env><![CDATA[A=<1>]]></env>
  <app mountpoint="/shop"><script>shop</script></app>
</uwsgi>"""
    options = read(xml(tmp_path, text))
    assert pairs(options) == [
        ("socket", ":3031"),
        ("master", None),
        ("env", "A=<1>"),
        ("mount", "/shop=shop"),
    ]
    assert options[0].place.line == 3


def test_xml_by_id(tmp_path: Path) -> None:
    text = '<all><uwsgi id="a"><x>1</x></uwsgi><uwsgi id="b"><x>2</x></uwsgi></all>'
    path = xml(tmp_path, text)
    assert pairs(read(path)) == [("x", "1")]
    assert pairs(read(f"{path}:b")) == [("x", "2")]
    with pytest.raises(Unreadable, match='id="c"'):
        read(f"{path}:c")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY a{i} "{f"&a{i - 1 if i else str()};" * 10}">' for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB + "]><uwsgi><a>&a8;</a></uwsgi>", "document type"),
        (
            '<!DOCTYPE uwsgi [<!ENTITY x SYSTEM "file:///etc/passwd">]><uwsgi><a>&x;</a></uwsgi>',
            "document type",
        ),
        ('<!DOCTYPE uwsgi SYSTEM "http://127.0.0.1:1/a.dtd"><uwsgi/>', "document type"),
        ("<uwsgi>\n<a></uwsgi>", r"a\.xml:2: mismatched tag"),
        ("<uwsgi><a>&b;</a></uwsgi>", "undefined entity"),
        ("<a><b><uwsgi/></b></a>", "no element <uwsgi>"),
        ('<?xml version="1.0" encoding="nonsense"?><uwsgi/>', "encoding"),
        ("", "no element found"),
    ],
)
def test_xml_that_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(xml(tmp_path, text))


def test_deep_xml(tmp_path: Path) -> None:
    text = "<uwsgi><a>1" + "<b>" * 50000 + "</b>" * 50000 + "</a></uwsgi>"
    assert pairs(read(xml(tmp_path, text))) == [("a", "1")]


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"uwsgi": {"a": "1", "b": [":1", ":2"], "c": true, "d": null, "a": 2, "e": {}, "f": []}}'
    )
    options = read(path)
    expected = [("a", "1"), ("b", ":1"), ("b", ":2"), ("c", "1"), ("d", ""), ("a", "2")]
    assert all(options[at].unclear for at in (4, 6, 7))
    assert pairs(options)[:6] == expected
    for text, reason in (
        ('{"uwsgi":\n{,}}', r"a\.json:2"),
        ("[]", "no object 'uwsgi'"),
        ("[" * 100_000, "nested too deeply"),
        ('{"uwsgi": 1}', "no object"),
        ("1", "no object 'uwsgi'"),
    ):
        path.write_text(text)
        with pytest.raises(Unreadable, match=reason):
            read(path)


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "uwsgi:\n  a: 1\n  b:\n    - ':1'\n    - :2\n  c: true\n"
        "  a: 0x10\n  endif:\n  d: {}\n  e: []\n"
    )
    options = read(path)
    expected = [
        ("a", "1"),
        ("b", ":1"),
        ("b", ":2"),
        ("c", "true"),
        ("a", "0x10"),
        ("d", ""),
        ("e", ""),
    ]
    assert pairs(options) == expected
    assert options[2].place.line == 5 and options[5].unclear and options[6].unclear
    for text, reason in (
        ("uwsgi: [", r"a\.yaml"),
        ("- a", "no mapping 'uwsgi'"),
        ("", "no mapping"),
        ("[" * 3000, "nested too deeply"),
        ("uwsgi: !!python/object/apply:os.system [ls]", "no mapping"),
    ):
        path.write_text(text)
        with pytest.raises(Unreadable, match=reason):
            read(path)


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = tmp_path / "a.yml"
    path.write_text("uwsgi:\n  a: 1\n")
    with pytest.raises(Unreadable, match="pip install PyYAML"):
        read(path)
