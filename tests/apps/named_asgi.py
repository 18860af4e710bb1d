"""The same as `named.py` for ASGI."""

import json


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/raise":
        raise RuntimeError("asked to")
    sent = [value.decode() for name, value in scope["headers"] if name == b"x-request-id"]
    facts = {
        "HTTP_X_REQUEST_ID": ",".join(sent),
        "rgunicorn.request_id": scope.get("rgunicorn.request_id"),
    }
    headers = [(b"content-type", b"application/json")]
    if scope["path"] == "/own":
        headers.append((b"X-REQUEST-ID", b"the-apps-own"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(facts).encode()})
