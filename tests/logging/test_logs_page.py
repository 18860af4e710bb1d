"""docs/observability/logs.md shows the lines that its command writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.named_lines import read, steady
from harness.server import Spawn
from harness.wait import until
from harness.wire import exchange, get

PAGE = (Path(__file__).parents[2] / "docs/observability/logs.md").read_text()
APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "12")])
    return [b"hello world\\n"]
"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, language
    return found[1].strip()


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_the_example(spawn: Spawn, tmp_path: Path, style: str) -> None:
    words = block("sh").replace(" json ", f" {style} ").split()
    assert (words[0], words[-1]) == ("rgunicorn", "app:app")
    (tmp_path / "app.py").write_text(APP)
    server = spawn(words[-1], args=words[1:-1], env={"PYTHONPATH": str(tmp_path)})
    example = block(style)
    parent = "00-{trace_id}-{span_id}-{trace_flags}".format(**read(style, example))
    exchange(
        server.address,
        get(
            "/items/?page=2",
            "X-Request-ID: 7b9f",
            f"traceparent: {parent}",
            "User-Agent: curl/8.5.0",
            "Connection: close",
        ),
    )
    until(lambda: "7b9f" in server.log(), "the line", show=server.log)
    (line,) = (line for line in server.log().splitlines() if "7b9f" in line)
    assert steady(style, line) == steady(style, example)


def test_every_name_is_explained() -> None:
    table = PAGE[PAGE.index("| name |") : PAGE.index("**What is not there")]
    for name in read("json", block("json")):
        assert f"`{name}`" in table
