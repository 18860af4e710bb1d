"""tests/apps/counted.py for ASGI."""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        if scope["path"] == "/refused":
            return
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"] == "/boom":
        raise ValueError("boom")
    status = {"/": 200, "/404": 404}[scope["path"]]
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
