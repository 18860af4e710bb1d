"""XML, JSON and YAML become the same options as ini."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rgunicorn.uwsgi_import.option import Unreadable
from uwsgi_import.options import pairs, read


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
