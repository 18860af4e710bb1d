"""Flask-SocketIO, whose server asks how it may wait: in threads or in greenlets."""

import os
import sys

if os.environ["ASYNC_MODE"] == "gevent":
    # With this package in reach engineio would expect its worker class.
    sys.modules["geventwebsocket"] = None

from flask import Flask, request
from flask_socketio import SocketIO, emit

app = Flask("chat")
chat = SocketIO(app, async_mode=os.environ["ASYNC_MODE"].partition("-")[0])


@app.get("/")
def index():
    return "here\n"


@chat.on("say")
def say(words):
    emit("said", words, broadcast=True)
    return len(words)


@chat.on("fail")
def fail():
    raise RuntimeError(f"no such event for {request.sid}")
