"""Two hosts behind a load balancer are deployed one after the other: nobody notices."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import balancer, haproxy, hosts, kinds, nginx
from harness.hosts import Host
from harness.kinds import Kind
from harness.mode import Mode
from harness.server import Command, Spawn
from harness.traffic import Traffic, traffic
from harness.wait import until
from harness.wire import ask, get
from storms.conftest import THREADS, Site

WITHOUT = hosts.unavailable()

pytestmark = [
    pytest.mark.skipif(bool(WITHOUT), reason=str(WITHOUT)),
    pytest.mark.skipif(not haproxy.available(), reason="haproxy is missing"),
    pytest.mark.skipif(not nginx.available(), reason="nginx is missing"),
]

PORT = 8000
APP = """
import ledger

def app(environ, start_response):
    def start(status, headers, exc_info=None):
        return start_response(status, [*headers, ("X-Version", "{version}")], exc_info)
    return ledger.app(environ, start)
"""
# As production has it: a connection that can't be made is made to another server.
REDISPATCH = ("retries 3", "option redispatch 1")


class Machine:
    """One host with its server.

    Args:
        host: where it runs.
        directory: where its application lies.
    """

    def __init__(self, host: Host, directory: Path, site: Site) -> None:
        self.host = host
        self.directory = directory
        self.site = site

    @property
    def version(self) -> str | None:
        """Of the code that answers."""
        return ask(self.site.server.address, get("/hello")).header("X-Version")

    def release(self, version: str) -> None:
        """New code, which nobody has loaded yet."""
        write_app(self.directory, version)

    def stop(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """TERM, and the end."""
        self.site.signal(signal.SIGTERM)
        meanwhile()
        assert self.site.server.wait_exit(60) == 0, self.site.news()

    def wait_served(self, clients: Traffic) -> None:
        """Waits until the balancer has sent it requests again."""
        until(
            lambda: clients.workers & set(self.site.workers),
            "an answer by one of its workers",
            60,
            show=clients.report,
        )

    def start(self) -> None:
        """The same command once more."""
        server = self.site.server
        server.start()
        self.site.master = server.pid
        server.wait_ready()
        self.site.settle()


def write_app(directory: Path, version: str) -> None:
    (directory / "shop.py").write_text(APP.format(version=version))


@contextlib.contextmanager
def two_machines(
    spawn: Spawn, command: Command, tmp_path: Path, kind: Kind, **more: object
) -> Iterator[tuple[Host, list[Machine]]]:
    """A hub and two machines that serve version 1."""
    with hosts.hosts(2) as (hub, others):
        machines = []
        for number, host in enumerate(others):
            directory = tmp_path / f"host{number}"
            directory.mkdir()
            write_app(directory, "1")
            settings = {
                **kind.settings,
                "workers": 2,
                "threads": THREADS if kind is kinds.GTHREAD else 1,
                "chdir": str(directory),
                **more,
            }
            server = spawn(
                "shop:app",
                Mode(transport="unix"),
                ready=False,
                command=Command((*host.prefix, *command.argv), command.name),
                settings=settings,
                config=f"bind = [bind, '{host.ip}:{PORT}']",
                env={"LEDGER": str(directory / "ledger")},
            )
            machines.append(Machine(host, directory, Site(server, 2, directory / "ledger")))
        for machine in machines:
            machine.site.server.wait_ready(2)
            machine.site.settle()
        yield hub, machines


def upstreams(machines: list[Machine]) -> list[str]:
    return [f"{machine.host.ip}:{PORT}" for machine in machines]


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_haproxy(spawn: Spawn, command: Command, tmp_path: Path, kind: Kind) -> None:
    """By HUP; by taking a host out first; by TERM alone, which the health check finds out."""
    with (
        two_machines(spawn, command, tmp_path, kind) as (hub, machines),
        balancer.haproxy_at(hub, tmp_path / "lb", upstreams(machines), REDISPATCH) as proxy,
        traffic(proxy.address) as clients,
    ):
        clients.wait_answers(30)
        for version in ("2", "3", "4"):
            for number, machine in enumerate(machines):
                machine.release(version)
                if version == "2":
                    machine.site.hup()
                elif version == "3":
                    proxy.take_out(number)
                    machine.stop()
                    machine.start()
                    proxy.put_in(number)
                else:
                    machine.stop()
                    machine.start()
                    proxy.wait_up(number)
                machine.wait_served(clients)
            print(f"version {version}: {clients.report()}")
            clients.assert_nothing_failed()
            assert [machine.version for machine in machines] == [version, version]


@pytest.mark.ours("shutdown_delay")
def test_shutdown_delay(spawn: Spawn, command: Command, tmp_path: Path) -> None:
    """TERM, and the host is taken out while the delay lasts. HAProxy tries nothing twice."""
    with (
        two_machines(spawn, command, tmp_path, kinds.GTHREAD, shutdown_delay=2) as (hub, machines),
        balancer.haproxy_at(hub, tmp_path / "lb", upstreams(machines), ("retries 0",)) as proxy,
        traffic(proxy.address) as clients,
    ):
        clients.wait_answers(30)
        for number, machine in enumerate(machines):
            machine.release("2")
            machine.stop(lambda number=number: proxy.take_out(number))  # type: ignore[misc]
            machine.start()
            proxy.put_in(number)
            machine.wait_served(clients)
        clients.assert_nothing_failed()
        assert [machine.version for machine in machines] == ["2", "2"]


@pytest.mark.parametrize("kind", [kinds.SYNC, kinds.GTHREAD], ids=str)
def test_nginx(spawn: Spawn, command: Command, tmp_path: Path, kind: Kind) -> None:
    """By HUP; by TERM alone. nginx keeps connections; it sends no POST twice."""
    with (
        two_machines(spawn, command, tmp_path, kind) as (hub, machines),
        balancer.nginx_at(hub, tmp_path / "lb", upstreams(machines)) as proxy,
        traffic(proxy.address) as clients,
    ):
        clients.wait_answers(30)
        for version in ("2", "3"):
            for machine in machines:
                machine.release(version)
                if version == "2":
                    machine.site.hup()
                else:
                    machine.stop()
                    machine.start()
                machine.wait_served(clients)
            clients.assert_nothing_failed()
            assert [machine.version for machine in machines] == [version, version]
