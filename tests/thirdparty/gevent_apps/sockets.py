"""WebSockets in WSGI: flask-sock, the worker of gevent-websocket, Flask-SocketIO."""

from __future__ import annotations

import os

from flask import Flask, request


def flask_sock():
    """Echoes with the length; `fail` is an error of the handler."""
    from flask_sock import Sock

    app = Flask(__name__)
    sock = Sock(app)

    @sock.route("/ws")
    def ws(ws):
        while True:
            text = ws.receive()
            if text == "fail":
                raise RuntimeError("handler broken")
            ws.send(f"{len(text)}: {text}")

    return app


def gevent_websocket(environ, start_response):
    """Echoes with the length."""
    ws = environ.get("wsgi.websocket")
    if ws is None:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"no socket"]
    while (text := ws.receive()) is not None:
        ws.send(f"{len(text)}: {text}")
    return []


def socketio():
    """Says what was said, in capitals."""
    from flask_socketio import SocketIO

    app = Flask(__name__)
    io = SocketIO(app, async_mode=os.environ.get("ASYNC_MODE", "gevent"))

    @io.on("say")
    def say(text):
        io.emit("said", text.upper(), to=request.sid)

    return app
