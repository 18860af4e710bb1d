"""The application `lethal` for ASGI."""

from __future__ import annotations

from lethal import FATAL


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    word = scope["path"].split("/")[1]
    start = {"type": "http.response.start", "status": 200, "headers": []}
    if word == "stream":
        await send(start)
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        FATAL["kill"]()
    if word in FATAL:
        FATAL[word]()
    await send(start)
    await send({"type": "http.response.body", "body": b"here"})
