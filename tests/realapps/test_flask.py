"""The Flask example: an app factory, forms, sessions, uploads and their refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from realapps.conftest import Site, Upload


@pytest.fixture(scope="module")
def site(serve: Callable[[str], Site]) -> Site:
    return serve("flask")


def test_hello(site: Site) -> None:
    assert site.browser().get("/").text == "Hello from Flask\n"


def test_session_over_four_workers(site: Site) -> None:
    browser = site.browser()
    counts = [browser.post("/count", data={"by": 2}).json()["count"] for _ in range(8)]
    assert counts == [2, 4, 6, 8, 10, 12, 14, 16]


def test_upload(site: Site, upload: Upload) -> None:
    with upload.path.open("rb") as file:
        answer = site.browser().post("/upload", files={"file": ("big", file)})
    assert answer.text == upload.answer


def test_stream(site: Site) -> None:
    answer = site.browser().get("/stream/1000")
    assert answer.text == "".join(f"line {i}\n" for i in range(1000))


def test_urls(site: Site) -> None:
    found = site.browser().get("/whoami").json()
    assert found["url"] == f"{site.public_url}/whoami"
    assert found["secure"] is site.secure


@pytest.mark.parametrize("status", [400, 401, 404, 410, 418, 429, 500, 503])
def test_statuses(site: Site, status: int) -> None:
    assert site.browser().get(f"/abort/{status}").status_code == status


def test_unhandled_exception_is_flasks(site: Site) -> None:
    assert site.browser().get("/raise").status_code == 500
    site.server.wait_log("RuntimeError: the example was asked to fail")


@pytest.mark.gunicorn_bug("closes while the rest of the upload is on its way")
def test_413_reaches_the_client(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("upload") / "70mb"
    path.write_bytes(b"u" * 70_000_000)
    for _ in range(3):
        with path.open("rb") as file:
            answer = site.browser().post("/upload", files={"file": ("big", file)})
        assert answer.status_code == 413
        assert "Request Entity Too Large" in answer.text
    if site.proxy:
        assert "[error]" not in site.proxy.error_log(), site.proxy.error_log()
