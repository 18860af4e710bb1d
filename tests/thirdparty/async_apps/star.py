"""A Starlette application."""

import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute


async def who(request):
    client = request.client and request.client.host
    return JSONResponse({"pid": os.getpid(), "client": client, "scheme": request.url.scheme})


async def echo(socket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{len(text)}: {text}")


app = Starlette(routes=[Route("/who", who), WebSocketRoute("/ws", echo)])
