"""A Flask app made by a factory: `rgunicorn "app:create_app()"`."""

import hashlib
from typing import NoReturn

from flask import Flask, Response, abort, jsonify, request, session


def create_app(limit: int = 64 << 20) -> Flask:
    """`limit` bytes of request body at most; more is answered 413 without reading it."""
    app = Flask(__name__)
    # An example, not a deployment: anybody may know this key.
    app.secret_key = "an-example-key"
    app.config["MAX_CONTENT_LENGTH"] = limit

    @app.get("/")
    def hello() -> str:
        return "Hello from Flask\n"

    @app.post("/count")
    def count() -> Response:
        session["count"] = session.get("count", 0) + int(request.form["by"])
        return jsonify(count=session["count"])

    @app.post("/upload")
    def upload() -> str:
        content = request.files["file"].read()
        return f"{len(content)} {hashlib.sha256(content).hexdigest()}\n"

    @app.get("/stream/<int:lines>")
    def stream(lines: int) -> Response:
        return Response((f"line {i}\n" for i in range(lines)), mimetype="text/plain")

    @app.get("/whoami")
    def whoami() -> Response:
        return jsonify(url=request.url, secure=request.is_secure, remote=request.remote_addr)

    @app.get("/abort/<int:status>")
    def give_up(status: int) -> NoReturn:
        abort(status)

    @app.get("/raise")
    def fail() -> NoReturn:
        raise RuntimeError("the example was asked to fail")

    return app
