"""A FastAPI application, as one writes it: lifespan, dependencies, validation, WebSocket."""

import os
import time
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


@asynccontextmanager
async def lifespan(app):
    print("fast has started", flush=True)
    yield {"shop": "open"}
    print("fast has ended", flush=True)


app = FastAPI(lifespan=lifespan)


class Order(BaseModel):
    item: str
    count: int


def shop(request: Request) -> str:
    return request.state.shop


@app.get("/who")
async def who(request: Request, state: str = Depends(shop)):
    return {
        "pid": os.getpid(),
        "shop": state,
        "client": request.client and request.client.host,
        "scheme": request.url.scheme,
    }


@app.post("/orders", status_code=201)
def order(order: Order) -> Order:
    return order


@app.get("/stream")
async def stream():
    async def pieces():
        for number in range(5):
            yield f"{number} "

    return StreamingResponse(pieces(), media_type="text/plain")


@app.get("/gate")
async def gate(path: str):
    import asyncio

    print("in the gate", flush=True)
    while not os.path.exists(path):
        await asyncio.sleep(0.02)
    return "through"


@app.get("/block")
async def block():
    """Holds the event loop, and with it the worker."""
    print("blocks", flush=True)
    time.sleep(3600)


@app.get("/boom")
async def boom():
    raise ValueError("out of luck")


@app.websocket("/ws")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{len(text)}: {text}")
