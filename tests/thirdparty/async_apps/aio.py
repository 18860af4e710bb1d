"""An aiohttp application, and one that is made by a coroutine."""

import asyncio
import os

from aiohttp import WSMsgType, web


async def who(request):
    return web.json_response({"pid": os.getpid(), "client": request.remote})


async def orders(request):
    return web.json_response(await request.json(), status=201)


async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(5):
        await response.write(f"{number} ".encode())
    return response


async def gate(request):
    print("in the gate", flush=True)
    while not os.path.exists(request.query["path"]):
        await asyncio.sleep(0.02)
    return web.json_response("through")


async def boom(request):
    raise ValueError("out of luck")


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(f"{len(message.data)}: {message.data}")
    return socket


def make():
    app = web.Application()
    app.router.add_get("/who", who)
    app.router.add_post("/orders", orders)
    app.router.add_get("/stream", stream)
    app.router.add_get("/gate", gate)
    app.router.add_get("/boom", boom)
    app.router.add_get("/ws", echo)
    return app


app = make()


async def factory():
    return make()


async def broken():
    raise RuntimeError("no database")
