"""Real HAProxy and nginx as load balancers of several machines, each on a unix socket.

HAProxy checks the health of its servers and can be told to take one out; nginx (the free one) only
notices failures of requests, and tries the next server where that is safe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import haproxy, nginx
from .hosts import Host
from .wait import until

HAPROXY = """\
global
    maxconn 200
    log stdout format raw local0
    stats socket {dir}/admin.sock level admin
defaults
    mode http
    log global
    option httplog
    option log-health-checks
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout queue 5s
    {defaults}
frontend in
    bind unix@{dir}/in.sock
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /hello
    default-server check inter 200ms fall 2 rise 1
    {servers}
"""

NGINX = """\
upstream app {{
    {servers}
    keepalive 8;
}}
server {{
    listen unix:{dir}/in.sock;
    location / {{
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        {more}
    }}
}}
"""


class Balancer:
    """One of the two.

    Args:
        directory: of its sockets and logs.
        log_path: what it says.
    """

    def __init__(self, directory: Path, log_path: Path) -> None:
        self.directory = directory
        self.log_path = log_path

    @property
    def address(self) -> str:
        """Where clients connect."""
        return str(self.directory / "in.sock")

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tell(self, command: str) -> str:
        """What HAProxy answers to a command."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(10)
            admin.connect(str(self.directory / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            answer = b""
            while data := admin.recv(65536):
                answer += data
        return answer.decode()

    def stat(self, number: int, field: str) -> str:
        """A field of HAProxy's statistics of one server, such as `status` or `scur`."""
        head, *rows = self.tell("show stat").lstrip("# ").splitlines()
        names = head.split(",")
        for row in rows:
            values = dict(zip(names, row.split(","), strict=False))
            if (values["pxname"], values["svname"]) == ("app", f"host{number}"):
                return values[field]
        raise AssertionError(f"no server {number}: {rows}")

    def wait_up(self, number: int) -> None:
        """Waits until the server has passed a health check, and gets requests."""
        until(
            lambda: self.stat(number, "status") == "UP" and self.stat(number, "check_status") != "",
            f"server {number} to be up",
            show=self.log,
        )

    def take_out(self, number: int) -> None:
        """No new request goes to the server; returns when those that did are answered."""
        self.tell(f"set server app/host{number} state drain")
        until(lambda: self.stat(number, "scur") == "0", f"server {number} to be idle")

    def put_in(self, number: int) -> None:
        """It is a server again."""
        self.tell(f"set server app/host{number} state ready")
        self.wait_up(number)


@contextlib.contextmanager
def haproxy_at(
    hub: Host, directory: Path, upstreams: Sequence[str], defaults: Sequence[str]
) -> Iterator[Balancer]:
    """HAProxy on `hub`, before servers named host0, host1, … at `upstreams` (`ip:port`), with
    further lines for its `defaults`."""
    binary = haproxy.available()
    assert binary, "ask haproxy.available() first"
    directory.mkdir(parents=True, exist_ok=True)
    servers = [f"server host{number} {where}" for number, where in enumerate(upstreams)]
    config = directory / "haproxy.cfg"
    text = HAPROXY.format(
        dir=directory, defaults="\n    ".join(defaults), servers="\n    ".join(servers)
    )
    config.write_text(text)
    balancer = Balancer(directory, directory / "haproxy.log")
    with _running([*hub.prefix, binary, "-db", "-f", str(config)], balancer):
        for number in range(len(upstreams)):
            balancer.wait_up(number)
        yield balancer


@contextlib.contextmanager
def nginx_at(
    hub: Host, directory: Path, upstreams: Sequence[str], more: Sequence[str] = ()
) -> Iterator[Balancer]:
    """nginx on `hub`, before servers at `upstreams` (`ip:port`), with further lines for its
    location. None is ever left alone for a while: nginx counts that in whole seconds, and the next
    deployment would meet a balancer that believes it has no server."""
    binary = nginx.available()
    assert binary, "ask nginx.available() first"
    directory.mkdir(parents=True, exist_ok=True)
    servers = [f"server {where} max_fails=0;" for where in upstreams]
    http = NGINX.format(dir=directory, more="\n        ".join(more), servers="\n    ".join(servers))
    config = directory / "nginx.conf"
    config.write_text(nginx.CONFIG.format(dir=directory, http=http))
    errors = str(directory / "nginx-error.log")
    argv = [binary, "-p", str(directory), "-e", errors, "-c", str(config)]
    # nginx started by root drops to `nobody`, who could not enter pytest's private directories.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    balancer = Balancer(directory, Path(errors))
    with _running([*hub.prefix, *argv, *user], balancer):
        yield balancer


@contextlib.contextmanager
def _running(argv: list[str], balancer: Balancer) -> Iterator[None]:
    with balancer.log_path.open("ab") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: _accepts(balancer.address), "the balancer to listen", show=balancer.log)
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
