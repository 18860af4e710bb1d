"""The page of figures, written from a stored run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from loadbench.aims import Aim
from loadbench.curves.point import CURVES
from loadbench.digest import digest, numbers
from loadbench.errors import BenchError
from loadbench.growth import growth_charts, growth_table
from loadbench.page import write_numbers, write_page
from loadbench.promises import promises
from loadbench.tables import as_markdown

ROOT = Path(__file__).parents[2]


def broken_tables(text: str) -> list[str]:
    """Rows that have not as many cells as the head of their table."""
    broken, cells = [], 0
    for line in text.splitlines():
        found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if found and cells and found != cells:
            broken.append(line)
        cells = found
    return broken


def charts_of(text: str) -> set[str]:
    """Files the page shows."""
    return set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text))


def test_the_page_has_everything_of_the_run_and_keeps_what_is_written_by_hand(
    page: Path, document: Any
) -> None:
    write_page(page, document)
    text = page.read_text()
    assert text.startswith("# Mine\n\n<!-- bench:begin: how -->\n")
    assert text.endswith("<!-- bench:end -->\n\nMine too.\n")
    assert "\nold\n" not in text
    assert broken_tables(text) == []
    assert "the numbers mean nothing" in text  # the stored run is a quick one
    for server in document["servers"]:
        assert server["title"] in text and str(server["version"]) in text
    for said in (document["date"], document["command"], document["machine"]["commit"]):
        assert said in text
    for scenario in document["scenarios"]:
        assert f"## {scenario['title'][0].upper()}{scenario['title'][1:]}\n" in text
    for micro in document["micro"]:
        assert f"`{micro['name']}`".replace("|", "\\|") in text
    for part in ("Growth", "Boot and memory", "Reload under load", "The floor"):
        assert f"\n## {part}" in text


def test_each_chart_is_shown_and_each_one_shown_is_there(page: Path, document: Any) -> None:
    directory = page.with_suffix("")
    directory.mkdir()
    (directory / "of-an-earlier-run.svg").write_text("<svg/>")
    write_page(page, document)
    written = {f"figures/{path.name}" for path in directory.iterdir()}
    assert charts_of(page.read_text()) == written
    assert {f"figures/{one['name']}.svg" for one in document["scenarios"]} <= written
    assert {f"figures/growth-{curve.name}.svg" for curve in CURVES} <= written
    for path in directory.iterdir():
        ElementTree.parse(path)


def test_the_same_run_makes_the_same_page(page: Path, document: Any) -> None:
    write_page(page, document)
    first = page.read_text()
    write_page(page, document)
    assert page.read_text() == first


def test_a_page_without_markers_is_left_alone(tmp_path: Path, document: Any) -> None:
    page = tmp_path / "figures.md"
    page.write_text("<!-- bench:end -->\n<!-- bench:begin -->\n")
    with pytest.raises(BenchError, match="needs the markers"):
        write_page(page, document)
    assert page.read_text() == "<!-- bench:end -->\n<!-- bench:begin -->\n"
    assert not page.with_suffix("").exists()


def test_a_run_of_one_part_makes_a_page(page: Path, document: Any) -> None:
    """What was not measured is not there, not even as a heading."""
    for part in ("summary", "curves", "micro", "idle", "busy", "stalled", "syscalls", "memory"):
        document[part] = []
    for part in ("dribble", "reload", "preload"):
        document[part] = []
    document["wsgi_call_us"] = {}
    document["boot_seconds"] = {"rgunicorn-gthread": [0.1, 0.3, 0.2]}
    write_page(page, document)
    text = page.read_text()
    assert "| rgunicorn gthread | 200 | 100–300 |" in text
    assert charts_of(text) == set()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert set(headings) <= {"In short", "Where and how", "Aims", "Boot and memory"}


def test_the_report_of_a_run_has_the_same_tables(document: Any) -> None:
    text = as_markdown(document)
    assert broken_tables(text) == []
    assert "## Growth: " in text and "## Without Python" in text


def test_failures_and_servers_that_are_not_there_are_told(page: Path, document: Any) -> None:
    document["failures"], document["skipped"] = ["round 1 hello: dead"], {"bjoern": "no libev"}
    write_page(page, document)
    assert "**Failed**: round 1 hello: dead" in page.read_text()
    assert "Not measured: bjoern: no libev" in page.read_text()


def test_who_takes_no_part_is_named_below_the_table(page: Path, document: Any) -> None:
    document["absent"] = [
        {"event": "close", "server": "gunicorn-gthread", "why": "has no TLS"},
        {"event": "close", "server": "rgunicorn-gthread", "why": "has no TLS"},
        {"event": "reload", "server": "gunicorn-gthread", "why": "has no signal"},
        {"event": "reload", "server": "responder", "why": "has no application"},
    ]
    write_page(page, document)
    text = page.read_text()
    assert text.count("Not in it: ") == 2
    assert "Not in it: Gunicorn gthread, rgunicorn gthread (has no TLS)." in text
    assert "Not in it: Gunicorn gthread (has no signal)." in text


def test_an_aim_that_is_missed_is_in_the_summary(
    document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    promises = [Aim("kept", "1 x", "2 x", True), Aim("missed", "3 x", "2 x, 33 % short", False)]
    monkeypatch.setattr("loadbench.digest.promises", lambda _document: promises)
    lines = digest(document)
    assert lines[0] == "1 of 2 aims are met."
    assert "- missed: aim 3 x, reached 2 x, 33 % short" in lines
    assert not any("kept: aim" in line for line in lines)


def test_a_curve_has_a_row_per_server_and_a_cell_per_place(document: Any) -> None:
    upload = next(curve for curve in CURVES if curve.name == "upload")
    point = {"curve": "upload", "cpu_us": 12.345, "peak_bytes": 20 << 20}
    document["curves"] = [
        point | {"server": "gunicorn-gthread", "x": 1024, "cpu_us": 0.0},
        point | {"server": "rgunicorn-gthread", "x": 1 << 30, "cpu_us": 275_000.4},
        point | {"server": "rgunicorn-gthread", "x": 1024},
    ]
    rows = growth_table(document, upload)[2:]
    assert rows[0] == "| server | 1 KiB | 1 GiB |"
    assert rows[2:] == [
        "| rgunicorn gthread | 12.35; 20 MiB | 275,000; 20 MiB |",
        "| Gunicorn gthread | 0.00; 20 MiB |  |",
    ]
    charts = growth_charts(document, upload)
    assert set(charts) == {"growth-upload", "growth-upload-memory"}
    # A cost of less than a tick of the kernel's clock has no logarithm.
    assert "Gunicorn" not in charts["growth-upload"][1]
    assert "Gunicorn" in charts["growth-upload-memory"][1]


def grown(document: Any, curve: str, costs: list[float], peaks: list[int]) -> dict[str, Aim]:
    """What is said of a curve of ours with these points, by the end of the promise."""
    document["curves"] = [
        {
            "curve": curve,
            "server": "rgunicorn-gthread",
            "x": 10**number,
            "cpu_us": cost,
            "peak_bytes": peak << 20,
        }
        for number, (cost, peak) in enumerate(zip(costs, peaks, strict=True))
    ]
    found = [one for one in promises(document) if "rgunicorn gthread: " in one.what]
    return {one.what.rpartition(": ")[2]: one for one in found if "grow" in one.what}


def test_linear_growth_is_promised_and_judged(document: Any) -> None:
    linear = grown(document, "upload", [5.0, 20.0, 200.0], [18, 18, 21])
    assert [one.met for one in linear.values()] == [True, True]
    quadratic = grown(document, "upload", [5.0, 20.0, 2000.0], [18, 18, 18])
    assert quadratic["CPU grows no faster than linearly"].reached.startswith("10.00 x")
    assert not quadratic["CPU grows no faster than linearly"].met
    kept = grown(document, "upload", [5.0, 20.0, 200.0], [18, 18, 23])
    assert not kept["memory does not grow with the body"].met
    flat = grown(document, "active", [5.0, 6.0, 9.0], [1, 1, 1])
    assert [one.met for one in flat.values()] == [True]
    rising = grown(document, "active", [5.0, 6.0, 11.0], [1, 1, 1])
    assert [one.met for one in rising.values()] == [False]


def test_the_readme_has_the_cheapest_of_each(tmp_path: Path, document: Any) -> None:
    for cost, row in enumerate(document["summary"], start=10):
        row["cpu_us"] = cost
    costs = {
        row["server"]: row["cpu_us"] for row in document["summary"] if row["scenario"] == "close"
    }
    ours = min(cost for name, cost in costs.items() if name.startswith("rgunicorn"))
    head, _, *rows = numbers(document)
    assert head.startswith("| CPU time per request | rgunicorn | Gunicorn |")
    (row,) = (row for row in rows if "Connection: close" in row)
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2] == f"{ours:.1f} µs"
    assert cells[3] == f"{costs['gunicorn-gthread']:.1f} µs"
    assert cells[5] == f"{costs['responder']:.1f} µs"
    readme = tmp_path / "README.md"
    readme.write_text("<!-- bench:begin -->\n<!-- bench:end -->\n")
    write_numbers(readme, document)
    assert row in readme.read_text() and broken_tables(readme.read_text()) == []


@pytest.mark.parametrize("name", ["docs/performance.md", "README.md"])
def test_pages_of_this_project_can_be_written_and_show_charts_that_are_there(name: str) -> None:
    text = (ROOT / name).read_text()
    lines = text.splitlines()
    starts = [line for line in lines if line.startswith("<!-- bench:begin")]
    assert len(starts) == 1 and lines.count("<!-- bench:end -->") == 1
    assert lines.index(starts[0]) < lines.index("<!-- bench:end -->")
    missing = [one for one in charts_of(text) if not ((ROOT / name).parent / one).exists()]
    assert missing == []
