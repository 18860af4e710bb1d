"""The Flask example below a path of nginx that speaks uwsgi."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.mode import Mode
from harness.nginx import available, nginx
from harness.server import TESTS, Command, spawner

from .conftest import Browser, Upload

pytestmark = [
    pytest.mark.skipif(not available(), reason="nginx is not installed"),
    pytest.mark.gunicorn_bug("SCRIPT_NAME is ignored: every path is 404"),
]

MOUNT = {"/site": "uwsgi_param SCRIPT_NAME /site; uwsgi_param HTTPS on;"}


@pytest.fixture(scope="module", params=[Mode("sync", "tcp"), Mode("gthread", "unix")], ids=str)
def browser(
    request: pytest.FixtureRequest, command: Command, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    mode: Mode = request.param
    directory: Path = tmp_path_factory.mktemp("server")
    with spawner(directory, command, mode) as spawn:
        server = spawn(
            None,
            cwd=TESTS.parent / "examples/flask",
            args=["--protocol", "uwsgi"],
            env={"PYTHONPATH": ""},
            ready=False,
        ).wait_ready(workers=4)
        with nginx(directory / "nginx", server.address, uwsgi=MOUNT) as proxy:
            yield Browser(proxy.url + "/site")
        assert "[error]" not in proxy.error_log()
        assert "[WARNING]" not in server.log()


def test_session_over_four_workers(browser: Browser) -> None:
    # nginx says https: the cookie has no `Secure`, so it comes back over http.
    counts = [browser.post("/count", data={"by": 2}).json()["count"] for _ in range(8)]
    assert counts == [2, 4, 6, 8, 10, 12, 14, 16]


def test_upload(browser: Browser, upload: Upload) -> None:
    with upload.path.open("rb") as file:
        answer = browser.post("/upload", files={"file": ("big", file)})
    assert answer.text == upload.answer


def test_stream(browser: Browser) -> None:
    assert browser.get("/stream/1000").text == "".join(f"line {i}\n" for i in range(1000))


def test_urls(browser: Browser) -> None:
    found = browser.get("/whoami").json()
    assert found["url"] == browser.base.replace("http:", "https:") + "/whoami"
    assert (found["secure"], found["remote"]) == (True, "127.0.0.1")


def test_statuses(browser: Browser) -> None:
    assert [browser.get(f"/abort/{status}").status_code for status in (404, 500)] == [404, 500]
