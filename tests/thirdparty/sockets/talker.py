"""Two clients of Flask-SocketIO in one program: `talker.py http://HOST:PORT TRANSPORT`.

It prints what they saw.
"""

import asyncio
import sys

import socketio


async def main(url, transport):
    heard = asyncio.Queue()
    first, second = socketio.AsyncClient(), socketio.AsyncClient()
    second.on("said", heard.put)
    for client in (first, second):
        await client.connect(url, transports=[transport], wait_timeout=30)
        print(client.transport())
    for words in ("hello", "x" * 200_000):
        print(await first.call("say", words, timeout=60) == len(words))
        print(await asyncio.wait_for(heard.get(), 60) == words)
    await first.emit("fail")
    print(await first.call("say", "still here", timeout=60))
    for client in (first, second):
        await client.disconnect()


asyncio.run(main(*sys.argv[1:]))
