"""What `make coverage` says: its list is of code that is there, and it fails when it should."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from covered import run, rust, watch
from covered.rust import Place

PAGE = run.PAGE.read_text()


def export(root: Path, *functions: dict[str, object]) -> dict[str, object]:
    """As llvm-cov writes it: one program with these functions."""
    return {"data": [{"functions": functions}]}


def test_everything_listed_is_there() -> None:
    listed = run.unreachable(PAGE)
    assert len(listed) == PAGE.count(".rs` | ``") > 0
    for file, code in listed:
        lines = (run.ROOT / file).read_text().splitlines()
        assert any(code in line for line in lines), f"{file}: {code}"
        assert Path(file).parts[1] in rust.PURE


@pytest.mark.parametrize("name", ["rust", "python"])
def test_the_page_has_figures(name: str) -> None:
    figures = PAGE.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    assert "|--:|" in figures and "2026-" in figures


def test_a_place_has_run_when_it_has_for_one_type(tmp_path: Path) -> None:
    source = tmp_path / "src/http/a.rs"
    source.parent.mkdir(parents=True)
    source.write_text("fn a() {\n    if b { c() }\n}\n\n#[cfg(test)]\nmod tests {\n    d()\n}\n")
    name = str(source)
    one = {
        "filenames": [name],
        "regions": [[1, 1, 3, 2, 1, 0, 0, 0], [2, 12, 2, 15, 0, 0, 0, 0], [7, 5, 7, 8, 0, 0, 0, 0]],
        "branches": [[2, 8, 2, 9, 0, 4, 0, 0, 4]],
    }
    floor = rust.floors(export(tmp_path, one), tmp_path)["http"]
    assert (floor.regions, floor.missed_regions) == (2, 1)
    assert (floor.branches, floor.missed_branches) == (2, 1)
    line = "if b { c() }"
    assert floor.places == {
        Place("src/http/a.rs", 2, "never runs", line),
        Place("src/http/a.rs", 2, "never true", line),
    }
    other = {"filenames": [name], "regions": [[2, 12, 2, 15, 1, 0, 0, 0]]}
    other["branches"] = [[2, 8, 2, 9, 1, 0, 0, 0, 4]]
    assert not rust.floors(export(tmp_path, one, other), tmp_path)["http"].places


def test_what_is_missed_and_what_is_listed_must_agree() -> None:
    floors = {name: rust.Floor() for name in rust.PURE}
    place = Place("src/log/a.rs", 7, "never runs", "let a = b?;")
    floors["log"].places.add(place)
    assert run.judge(floors, {("src/log/a.rs", "b?")}) == []
    assert run.judge(floors, set()) == [f"not run, and not listed: {place}"]
    [one, other] = run.judge(floors, {("src/log/a.rs", "c?")})
    assert one.endswith(str(place)) and other == "listed, but run (or gone): src/log/a.rs: c?"


def test_the_python_is_run_as_far_as_it_should_be() -> None:
    figures = PAGE.partition("<!-- python -->")[2].partition("<!-- /python -->")[0]
    (line,) = [line for line in figures.splitlines() if line.startswith("| all |")]
    assert float(line.split("|")[-2]) >= run.PYTHON_GOAL


@pytest.mark.parametrize("measuring", [True, False])
def test_an_empty_environment_does_not_keep_a_process_from_being_watched(
    tmp_path: Path, measuring: bool
) -> None:
    # In the place of coverage.py, which only `make coverage` installs.
    (tmp_path / "coverage.py").write_text(
        "import os\n"
        "def process_startup():\n"
        "    print('watched by', os.environ['COVERAGE_PROCESS_START'])\n"
    )
    ini = tmp_path / "watched.ini"
    ini.touch()
    code = f"{watch.line(ini)}\nimport os\nassert 'COVERAGE_PROCESS_START' not in os.environ\n"
    with ini.open() as file:
        if measuring:
            fcntl.flock(file, fcntl.LOCK_EX)
        argv = [sys.executable, "-S", "-c", code]
        env = {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout == (f"watched by {ini}\n" if measuring else "")


def test_what_is_left_out_has_a_reason() -> None:
    patterns = watch.excluded()
    assert patterns
    table = PAGE.partition("## What the figures leave out")[2]
    for pattern in patterns:
        escaped = pattern.replace("|", r"\|")
        assert f"| `` {escaped} `` |" in table, pattern
