"""No name that a client can send reaches anything outside of the directory."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import kinds
from harness.shift import Shift, Start
from harness.uwsgi import request
from harness.wire import Response, Wire, get

pytestmark = pytest.mark.ours("static_map")


@pytest.fixture(scope="module")
def trapped(site: Path) -> Iterator[Path]:
    """`www` with everything in it that is no plain file."""
    www = site / "www"
    made = [www / name for name in ("out", "far", "magic", "up", "round", "near", "fifo", "gone")]
    out, far, magic, up, ring, near, fifo, gone = made
    out.symlink_to("../secret")
    far.symlink_to(site / "secret")
    magic.symlink_to("/proc/self/fd/0")
    up.symlink_to("..")
    ring.symlink_to("round")
    near.symlink_to("deep/er/../../plain.txt")
    gone.symlink_to("nothing")
    os.mkfifo(fifo)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(www / "sock"))
    yield www
    listener.close()
    for path in [*made, www / "sock"]:
        path.unlink()


def ask(shift: Shift, path: str) -> Response:
    with Wire(shift.address) as wire:
        return wire.send(get(path)).response()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../secret",
        "/static/deep/../../secret",
        "/static/deep/../plain.txt",
        "/static/./plain.txt",
        "/static//plain.txt",
        "//static/plain.txt",
        "/static/deep//er/y.woff2",
        "/static/%2e%2e/secret",
        "/static/.%2e/secret",
        "/static/%2E%2E%2Fsecret",
        "/static/..%2fsecret",
        "/static%2f..%2fsecret",
        "/static/%252e%252e/secret",
        "/static/%252e%252e%252fsecret",
        "/static/..\\secret",
        "/static/..%5csecret",
        "/static\\..\\secret",
        "/static/%5c..%5c..%5csecret",
        "/static/plain.txt%00",
        "/static/plain.txt%00.css",
        "/static/%00/../secret",
        "/static/%c0%ae%c0%ae/secret",
        "/static/%e0%80%ae%e0%80%ae/secret",
        "/static/%uff0e%uff0e/secret",
        "/static/....//secret",
        "/static/..;/secret",
        "/static/~root/secret",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/%2f%2fetc/passwd",
        "/static/file:///etc/passwd",
        "/static/proc/self/environ",
        "/static/deep/er/y.woff2/",
        "/static/deep/er/y.woff2/..",
        "/static/plain.txt%20",
        "/static/plain.txt.",
        "/static/plain.txt::$DATA",
        "/static/.git/config",
        "/static/%2egit/config",
        "/static/deep/%2e%2e/.env",
        "/../static/plain.txt",
        "/x/../static/plain.txt",
        "/static/fifo",
        "/static/sock",
        "/static/gone",
        "/static/" + "../" * 40 + "etc/passwd",
        "/static/" + "deep/../" * 200 + "plain.txt",
    ],
)
def test_the_application_decides(shared: Start, trapped: Path, path: str) -> None:
    response = ask(shared(), path)
    assert response.header("X-Worker") is not None
    assert b"root:" not in response.body


@pytest.mark.parametrize("name", ["out", "far", "magic", "up/secret", "round"])
def test_links_that_lead_out_are_forbidden_and_told(
    shared: Start, trapped: Path, name: str
) -> None:
    shift = shared()
    log = len(shift.server.log())
    response = ask(shift, f"/static/{name}")
    assert (response.status, response.body) == (403, b"Forbidden\n")
    said = f"static_map: {trapped}/{name} can not be served: a symbolic link"
    shift.server.wait_log(said)
    assert f'"GET /static/{name} HTTP/1.1" 403 10 ' in shift.server.wait_log("403")[log:]


def test_links_within_are_followed(shared: Start, trapped: Path) -> None:
    assert ask(shared(), "/static/near").body == b"0123456789"


def test_escapes_are_undone_once(shared: Start, site: Path) -> None:
    odd = site / "www" / "%2e%2e"
    odd.write_bytes(b"odd")
    try:
        assert ask(shared(), "/static/%252e%252e").body == b"odd"
        assert ask(shared(), "/s%74atic/pl%61in%2etxt").body == b"0123456789"
        # A slash that was escaped is one, as the application would see it.
        assert ask(shared(), "/static%2fdeep%2fer/y.woff2").body == b"font"
        assert ask(shared(), "http://example.test/static/plain.txt?v=1#x").body == b"0123456789"
    finally:
        odd.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_forbidden(shared: Start, site: Path) -> None:
    path = site / "www" / "mine"
    path.write_bytes(b"mine")
    path.chmod(0)
    try:
        assert ask(shared(), "/static/mine").status == 403
    finally:
        path.unlink()


@pytest.mark.parametrize("kind", [kinds.SYNC_KEPT, kinds.GTHREAD], ids=str)
def test_over_uwsgi(shared: Start, kind: kinds.Kind) -> None:
    """PATH_INFO comes decoded, and is not decoded again."""
    shift = shared(kind, protocol="uwsgi")

    def answer(path: str, **more: str) -> Response:
        with Wire(shift.address) as wire:
            return wire.send(request(path, **more)).response()

    response = answer("/static/plain.txt", HTTP_RANGE="bytes=2-3")
    assert (response.status, response.body) == (206, b"23")
    assert answer("/x", PATH_INFO="/static/deep/er/y.woff2").body == b"font"
    below = answer("/app/static/plain.txt", SCRIPT_NAME="/app", PATH_INFO="/static/plain.txt")
    assert below.body == b"0123456789"
    for path in ("/static/../secret", "/static/%2e%2e/secret", "/static/x\0"):
        assert answer("/static/plain.txt", PATH_INFO=path).header("X-Worker") is not None
