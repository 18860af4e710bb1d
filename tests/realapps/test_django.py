"""The Django 5.2 example: admin, session, CSRF, upload, stream, static and other files."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.server import TESTS

if TYPE_CHECKING:
    from realapps.conftest import Browser, Site, Upload

DJANGO = TESTS.parent / "examples/django"


@pytest.fixture(scope="module")
def site(serve: Callable[[str], Site]) -> Site:
    return serve("django")


def token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found, page
    return found[1]


def submit(site: Site, browser: Browser, path: str, **kwargs):  # type: ignore[no-untyped-def]
    """Gets the form at `path` and posts it with its CSRF token, as a browser does."""
    data = {"csrfmiddlewaretoken": token(browser.get(path).text), **kwargs.pop("data", {})}
    headers = {"Referer": site.public_url + path}
    return browser.post(path, data=data, headers=headers, **kwargs)


def test_admin_login_and_session(site: Site) -> None:
    browser = site.browser()
    assert "Log in" in browser.get("/admin/").text
    login = submit(
        site,
        browser,
        "/admin/login/?next=/admin/",
        data={"username": "admin", "password": "admin"},
        allow_redirects=False,
    )
    assert (login.status_code, login.headers["Location"]) == (302, "/admin/")
    # Four workers: each must find the session, whichever answers.
    for _ in range(12):
        assert "Site administration" in browser.get("/admin/").text
    assert browser.get("/whoami/").json()["user"] == "admin"


def test_admin_adds_an_object(site: Site) -> None:
    browser = site.browser()
    submit(
        site,
        browser,
        "/admin/login/",
        data={"username": "admin", "password": "admin"},
        allow_redirects=False,
    )
    added = submit(
        site, browser, "/admin/board/note/add/", data={"text": "by hand"}, allow_redirects=False
    )
    assert (added.status_code, added.headers["Location"]) == (302, "/admin/board/note/")
    assert "by hand" in browser.get("/admin/board/note/").text


def test_wrong_password(site: Site) -> None:
    page = submit(
        site, site.browser(), "/admin/login/", data={"username": "admin", "password": "x"}
    )
    assert page.status_code == 200
    assert "Please enter the correct username and password" in page.text


def test_form_needs_its_token(site: Site) -> None:
    assert site.browser().post("/", data={"text": "forged"}).status_code == 403


def test_form_and_session(site: Site) -> None:
    browser = site.browser()
    for count in (1, 2, 3):
        answer = submit(site, browser, "/", data={"text": "caf\xe9 <b>"}, allow_redirects=False)
        assert answer.status_code == 302
        page = browser.get("/").text
        assert f"This session wrote {count}." in page
        assert "caf\xe9 &lt;b&gt;" in page


def test_upload_of_50_mb(site: Site, upload: Upload) -> None:
    browser = site.browser()
    with upload.path.open("rb") as file:
        answer = submit(site, browser, "/upload/", files={"file": ("big", file)})
    assert answer.text == upload.answer


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_upload_by_curl_with_expect_100(site: Site, upload: Upload, tmp_path: Path) -> None:
    jar = str(tmp_path / "jar")
    curl = ["curl", "-sS", "--noproxy", "*", "-m", "100", "-b", jar, "-c", jar]
    page = subprocess.run(
        [*curl, f"{site.url}/upload/"], capture_output=True, text=True, check=True
    )
    form = ["-F", f"csrfmiddlewaretoken={token(page.stdout)}", "-F", f"file=@{upload.path}"]
    answer = subprocess.run(
        [*curl, "-v", "-e", f"{site.public_url}/upload/", *form, f"{site.url}/upload/"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == upload.answer
    assert "HTTP/1.1 100 Continue" in answer.stderr


def test_streaming_response(site: Site) -> None:
    answer = site.browser().get("/stream/?lines=20000", stream=True)
    lines = answer.iter_lines()
    assert next(lines) == b"line 0"
    assert sum(1 for _ in lines) == 19_999


@pytest.mark.parametrize("name", ["board/board.css", "admin/css/base.css", "admin/js/core.js"])
def test_static_files(site: Site, name: str) -> None:
    browser = site.browser()
    answer = browser.get(f"/static/{name}")
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    if name.startswith("board"):
        assert answer.content == (DJANGO / "board/static" / name).read_bytes()
    since = {"If-Modified-Since": answer.headers["Last-Modified"]}
    again = browser.get(f"/static/{name}", headers=since)
    assert (again.status_code, again.content) == (304, b"")
    part = browser.get(f"/static/{name}", headers={"Range": "bytes=2-9"})
    assert (part.status_code, part.content) == (206, answer.content[2:10])


def test_file_response(site: Site) -> None:
    source = (DJANGO / "board/views.py").read_bytes()
    browser = site.browser()
    assert browser.get("/file/").content == source
    head = browser.head("/file/")
    assert (head.headers["Content-Length"], head.content) == (str(len(source)), b"")


def test_404_and_redirect(site: Site) -> None:
    assert site.browser().get("/nowhere/").status_code == 404
    answer = site.browser().get("/whoami", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, "/whoami/")


def test_what_the_server_told(site: Site) -> None:
    found = site.browser().get("/whoami/").json()
    assert found["url"] == f"{site.public_url}/whoami/"
    assert found["secure"] is site.secure
    assert found["software"].startswith("gunicorn/27.0.1")
    assert found["remote"] == ("" if isinstance(site.server.address, str) else "127.0.0.1")


def test_all_at_once(site: Site) -> None:
    def use(i: int) -> list[int]:
        browser = site.browser()
        paths = ["/", "/stream/?lines=500", "/static/board/board.css", "/file/", "/whoami/"]
        return [browser.get(path).status_code for path in paths * 4]

    with ThreadPoolExecutor(8) as pool:
        assert set(sum(pool.map(use, range(8)), [])) == {200}


def test_nothing_was_complained_about(site: Site) -> None:
    """Runs last: the log of all of the above holds no error, nginx had none either."""
    log = site.server.log()
    assert "Traceback" not in log
    assert "[ERROR]" not in log
    assert '"GET /whoami/ HTTP/1.1" 200' in log or '"GET /whoami/ HTTP/1.0" 200' in log
    assert "The example is ready" in log
    if site.proxy:
        assert "[error]" not in site.proxy.error_log(), site.proxy.error_log()
