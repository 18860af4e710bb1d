"""An ASGI application that stops its whole event loop while it waits for a file."""

import os
import time


async def app(scope, receive, send):
    assert scope["type"] == "http"
    path = scope["path"].removeprefix("/gate")
    if path != scope["path"]:
        print("in the gate", flush=True)
        while not os.path.exists(path):
            time.sleep(0.01)  # noqa: ASYNC251
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello, World!"})
