"""A Bottle app: `rgunicorn app:application`."""

import hashlib
from pathlib import Path

from bottle import Bottle, request, response, static_file

application = Bottle()


@application.get("/")
def hello():
    return "Hello from Bottle\n"


@application.post("/upload")
def upload():
    content = request.files["file"].file.read()
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}\n"


@application.get("/stream/<lines:int>")
def stream(lines):
    response.content_type = "text/plain"
    for i in range(lines):
        yield f"line {i}\n"


@application.route("/cookie", method=["GET", "POST"])
def cookie():
    count = int(request.get_cookie("count") or 0) + int(request.forms.get("by") or 0)
    response.set_cookie("count", str(count))
    return {"count": count}


@application.get("/source")
def source():
    """This very file, by wsgi.file_wrapper."""
    return static_file(Path(__file__).name, root=Path(__file__).parent)


@application.get("/whoami")
def whoami():
    return {"url": request.url, "scheme": request.urlparts.scheme, "remote": request.remote_addr}
