"""A Bottle app: `rgunicorn app:application`."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bottle import Bottle, HTTPResponse, request, response, static_file

application = Bottle()


@application.get("/")
def hello() -> str:
    return "Hello from Bottle\n"


@application.post("/upload")
def upload() -> str:
    content = request.files["file"].file.read()
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}\n"


@application.get("/stream/<lines:int>")
def stream(lines: int) -> Iterator[str]:
    response.content_type = "text/plain"
    for i in range(lines):
        yield f"line {i}\n"


@application.route("/cookie", method=["GET", "POST"])
def cookie() -> dict[str, int]:
    count = int(request.get_cookie("count") or 0) + int(request.forms.get("by") or 0)
    response.set_cookie("count", str(count))
    return {"count": count}


@application.get("/source")
def source() -> HTTPResponse:
    """This very file, by wsgi.file_wrapper."""
    return static_file(Path(__file__).name, root=Path(__file__).parent)


@application.get("/whoami")
def whoami() -> dict[str, str]:
    return {"url": request.url, "scheme": request.urlparts.scheme, "remote": request.remote_addr}
