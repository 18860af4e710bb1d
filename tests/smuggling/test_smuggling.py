"""Nobody reads a request otherwise than we do: directly, and behind real proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness import haproxy, nginx
from harness.mode import Mode
from harness.server import Address, Server, Spawn

from . import fronts
from .checks import Faults, direct_faults, front_faults, records, visit_all
from .families import CASES
from .fronts import Front
from .lenient import lenient

Start = Callable[[Path, Address], AbstractContextManager[Front]]

FRONTS: dict[str, tuple[Start, str | None]] = {
    "proxy_pass": (lambda d, up: fronts.nginx(d, up, uwsgi=False), nginx.available()),
    "uwsgi_pass": (lambda d, up: fronts.nginx(d, up, uwsgi=True), nginx.available()),
    "haproxy": (fronts.haproxy_http, haproxy.available()),
}


def told(faults: Faults) -> str:
    return "\n".join(f"{name}\n    " + "\n    ".join(said) for name, said in faults.items())


def start(spawn: Spawn, directory: Path, mode: Mode, **settings: object) -> tuple[Server, Path]:
    record = directory / "record"
    record.touch()
    server = spawn(
        "recorder:app",
        mode=mode,
        settings={**mode.keep_alive, **settings},
        env={"RECORD": str(record)},
    )
    return server, record


@pytest.mark.parametrize("worker", ["sync", "gthread"])
@pytest.mark.gunicorn_bug("some of these are read differently: docs/compatibility.md")
def test_directly(spawn: Spawn, tmp_path: Path, worker: str) -> None:
    server, record = start(spawn, tmp_path, Mode(worker))
    faults = direct_faults(visit_all(server.address, CASES, direct=True), record)
    assert not faults, told(faults)


@pytest.fixture(scope="module", params=FRONTS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not FRONTS[name][1]:
        pytest.skip(f"{name}: not installed")
    return name


@pytest.fixture
def behind(spawn: Spawn, tmp_path: Path, way: str) -> Iterator[tuple[Front, Path]]:
    settings = {"protocol": "uwsgi"} if way == "uwsgi_pass" else {}
    server, record = start(spawn, tmp_path, Mode("gthread"), **settings)
    with FRONTS[way][0](tmp_path / "front", server.address) as front:
        yield front, record


@pytest.mark.gunicorn_bug("uwsgi variables are ignored")
def test_behind_a_proxy(behind: tuple[Front, Path], way: str) -> None:
    front, record = behind
    visits = visit_all(front.address, CASES)
    faults = front_faults(visits, front, record)
    assert not faults, told(faults)
    seen = [one for ones in records(record).values() for one in ones]
    # The proxy has let enough of them through to be worth the trouble, on connections it shared.
    assert sum(not one["path"].startswith("/innocent") for one in seen) > 20
    if way == "haproxy" or way == "proxy_pass":
        ports = {one["port"] for one in seen}
        assert len(ports) < len(seen) / 2, f"{len(ports)} connections for {len(seen)} requests"


FOUND = {"CL.TE", "TE.CL", "TE.TE", "obs-fold", "line ends", "duplicates"}


def test_the_checks_find_a_lenient_server(tmp_path: Path) -> None:
    cases = [case for case in CASES if case.family in FOUND]
    with lenient(tmp_path / "record") as server:
        faults = direct_faults(visit_all(server.address, cases), server.record)
    assert {name.partition(":")[0] for name in faults} == FOUND, told(faults)
    served = [one for ones in records(tmp_path / "record").values() for one in ones]
    assert any(one["path"].startswith("/smuggled") for one in served)


@pytest.mark.parametrize("proxy", ["proxy_pass", "haproxy"])
def test_the_checks_find_a_lenient_server_behind_a_proxy(tmp_path: Path, proxy: str) -> None:
    begin, there = FRONTS[proxy]
    if not there:
        pytest.skip(f"{proxy}: not installed")
    # A server for each: what one leaves on a shared connection must not be laid to the other.
    for name, is_found in (("GET with a length", True), ("POST", False)):
        (case,) = (case for case in CASES if case.name == name)
        place = tmp_path / name.partition(" ")[0]
        place.mkdir()
        with lenient(place / "record") as server, begin(place / "front", server.address) as front:
            faults = front_faults(visit_all(front.address, [case]), front, server.record, 1)
        assert is_found == any("smuggled" in said for said in faults.get(case.id, [])), told(faults)
