"""The Bottle example."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harness.server import TESTS

if TYPE_CHECKING:
    from realapps.conftest import Site, Upload


@pytest.fixture(scope="module")
def site(serve: Callable[[str], Site]) -> Site:
    return serve("bottle")


def test_hello(site: Site) -> None:
    assert site.browser().get("/").text == "Hello from Bottle\n"


def test_cookies(site: Site) -> None:
    browser = site.browser()
    assert [browser.post("/cookie", data={"by": 3}).json()["count"] for _ in range(4)] == [
        3,
        6,
        9,
        12,
    ]


def test_upload(site: Site, upload: Upload) -> None:
    with upload.path.open("rb") as file:
        assert site.browser().post("/upload", files={"file": file}).text == upload.answer


def test_stream(site: Site) -> None:
    assert site.browser().get("/stream/1000").text == "".join(f"line {i}\n" for i in range(1000))


def test_static_file(site: Site) -> None:
    source = (TESTS.parent / "examples/bottle/app.py").read_bytes()
    browser = site.browser()
    assert browser.get("/source").content == source
    part = browser.get("/source", headers={"Range": "bytes=5-11"})
    assert (part.status_code, part.content) == (206, source[5:12])


def test_urls(site: Site) -> None:
    found = site.browser().get("/whoami").json()
    assert found["url"] == f"{site.public_url}/whoami"
    assert found["scheme"] == ("https" if site.secure else "http")


def test_unknown_path_and_method(site: Site) -> None:
    assert site.browser().get("/nowhere").status_code == 404
    assert site.browser().put("/").status_code == 405
