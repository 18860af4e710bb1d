"""A WebSocket client of others (`websockets`), from the environment that has it."""

from __future__ import annotations

import json
import subprocess

from .server import Server

# One thread does all: the client of `websockets.sync` reads in one thread while it writes in
# another, and over TLS 1.3 OpenSSL can hang in that when a session ticket comes with the write.
_CLIENT = """
import asyncio, json, ssl, sys
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

url, messages, ca = json.load(sys.stdin)
said = []
options = {}
if ca:
    options["ssl"] = ssl.create_default_context(cafile=ca)

async def converse():
    try:
        async with connect(url, **options, proxy=None, open_timeout=20, close_timeout=10) as socket:
            for message in messages:
                await socket.send(message)
                said.append(await asyncio.wait_for(socket.recv(), 20))
    except ConnectionClosed as exc:
        said.append(exc.rcvd.code if exc.rcvd else None)
    except InvalidStatus as exc:
        said.append(exc.response.status_code)

asyncio.run(converse())
json.dump(said, sys.stdout)
"""


def talk(server: Server, path: str, *messages: str, ca: str | None = None) -> list[object]:
    """Sends each of `messages` and waits for one answer to it. With `ca` over TLS.

    Returns:
        The answers. The last is the code of a close (None without one) or the status of a refused
        handshake when the server ended the conversation.
    """
    url = server.url.replace("http", "wss" if ca else "ws", 1) + path
    done = subprocess.run(
        [server.command.python, "-c", _CLIENT],
        input=json.dumps([url, messages, ca]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers: list[object] = json.loads(done.stdout)
    return answers
