"""An ASGI application without a framework, for what a server does around it."""

import asyncio
import json
import os


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await echo(receive, send)
    else:
        name = scope["path"].rpartition("/")[2]
        await PAGES.get(name, show)(scope, receive, send)


async def lifespan(scope, receive, send):
    await receive()
    scope["state"]["since"] = "startup"
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("lifespan has ended", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def refuses_to_start(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "the database is gone"})


async def answer(send, body, status=200):
    headers = [(b"content-type", b"text/plain"), (b"X-Page", b"yes")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def show(scope, receive, send):
    """What the server says about the request."""
    shown = {
        key: value.decode() if isinstance(value, bytes) else value
        for key, value in scope.items()
        if key != "headers" and not callable(value)
    }
    shown["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    shown["pid"] = os.getpid()
    await answer(send, json.dumps(shown).encode())


async def body(scope, receive, send):
    """Gives back what it was sent."""
    received, more = b"", True
    while more:
        message = await receive()
        received += message["body"]
        more = message["more_body"]
    await answer(send, received, 201)


async def stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in (b"one ", b"two ", b"three"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def closes(scope, receive, send):
    """Has an opinion about its connection."""
    headers = [(b"Connection", b"close"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def promises(scope, receive, send):
    """Has another one."""
    headers = [(b"connection", b"keep-alive"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def boom(scope, receive, send):
    raise ValueError("out of luck")


async def silent(scope, receive, send):
    """Returns without an answer."""


async def late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    raise ValueError("after the head")


async def endless(scope, receive, send):
    """Goes on until somebody cancels it."""
    print("endless has begun", flush=True)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("endless was cancelled", flush=True)
        raise


async def gate(scope, receive, send):
    """Answers when the file that the query names exists."""
    print("in the gate", flush=True)
    while not os.path.exists(scope["query_string"].decode()):
        await asyncio.sleep(0.02)
    await answer(send, b"through")


async def echo(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "boom":
            raise ValueError("in a conversation")
        size = len(message.get("text") or message.get("bytes") or "")
        await send({"type": "websocket.send", "text": f"{size}: {message.get('text')}"})


PAGES = {
    "body": body,
    "stream": stream,
    "closes": closes,
    "promises": promises,
    "boom": boom,
    "silent": silent,
    "late": late,
    "endless": endless,
    "gate": gate,
}
