"""Real nginx in front of a server under test, in its own session, directory and port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from .server import Address, free_port
from .wait import until

CONFIG = """\
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 200m;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    {http}
}}
"""

SITE = """\
upstream app {{ server {upstream}; {keepalive} }}
server {{
    listen 127.0.0.1:{port};
    {locations}
}}
"""

PROXY_PASS = """\
proxy_pass http://app;
proxy_http_version {version};
proxy_set_header Connection "";
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto {proto};
proxy_request_buffering {buffering};
"""

UWSGI_PASS = """\
uwsgi_pass {scheme}app;
uwsgi_param QUERY_STRING $query_string;
uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_TYPE $content_type;
uwsgi_param CONTENT_LENGTH $content_length;
uwsgi_param REQUEST_URI $request_uri;
uwsgi_param PATH_INFO $document_uri;
uwsgi_param DOCUMENT_ROOT $document_root;
uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param REQUEST_SCHEME $scheme;
uwsgi_param HTTPS $https if_not_empty;
uwsgi_param REMOTE_ADDR $remote_addr;
uwsgi_param REMOTE_PORT $remote_port;
uwsgi_param SERVER_PORT $server_port;
uwsgi_param SERVER_NAME $server_name;
"""
"""With the lines of nginx's own `uwsgi_params`."""


class Nginx:
    """A running nginx: `url` in front, `error_log()` for what it complained about."""

    def __init__(self, directory: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.port = port
        self.process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def error_log(self) -> str:
        path = self.directory / "nginx-error.log"
        return path.read_text() if path.exists() else ""


def available() -> str | None:
    """The path of nginx; Debian keeps it in sbin, which is not on everybody's PATH."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def nginx(
    directory: Path,
    upstream: Address,
    *,
    proto: str = "https",
    buffering: bool = True,
    keepalive: bool = False,
    uwsgi: Mapping[str, str] | None = None,
    scheme: str = "",
) -> Iterator[Nginx]:
    """nginx in front of `upstream`.

    By proxy_pass, telling it X-Forwarded-Proto `proto`; or by uwsgi_pass, when `uwsgi` has the
    locations and what each of them says beside the usual; with `scheme` "suwsgi://" over TLS.
    """
    port = free_port()
    http = SITE.format(
        port=port,
        locations=_locations(proto, "on" if buffering else "off", uwsgi, scheme),
        keepalive="keepalive 8;" if keepalive else "",
        upstream=f"unix:{upstream}" if isinstance(upstream, str) else f"127.0.0.1:{upstream[1]}",
    )
    with running(directory, port, http) as server:
        yield server


@contextlib.contextmanager
def running(directory: Path, port: int, http: str) -> Iterator[Nginx]:
    """nginx that listens on `port`; `http`: what its `http` block says of it."""
    binary = available()
    assert binary, "ask available() first"
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    config = directory / "nginx.conf"
    config.write_text(CONFIG.format(dir=directory, http=http))
    # nginx started by root drops to `nobody`, who could not enter pytest's private directories.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [binary, "-p", str(directory), "-e", str(directory / "nginx-error.log"), "-c", str(config)]
        + user,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        server = Nginx(directory, port, process)
        until(lambda: _accepts(port), "nginx to listen", show=server.error_log)
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def _locations(proto: str, buffering: str, uwsgi: Mapping[str, str] | None, scheme: str) -> str:
    if uwsgi is None:
        lines = PROXY_PASS.format(version="1.1", proto=proto, buffering=buffering)
        return f"location / {{ {lines} }}"
    usual = UWSGI_PASS.format(scheme=scheme)
    return "\n".join(f"location {path} {{ {usual} {more} }}" for path, more in uwsgi.items())


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
