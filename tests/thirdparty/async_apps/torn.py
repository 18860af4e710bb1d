"""A Tornado application, and a WSGI application for Tornado's container."""

import json
import os
import time

from tornado import gen, web, websocket


class Who(web.RequestHandler):
    def get(self):
        self.write({"pid": os.getpid(), "client": self.request.remote_ip})


class Orders(web.RequestHandler):
    def post(self):
        self.set_status(201)
        self.write(json.loads(self.request.body))


class Stream(web.RequestHandler):
    async def get(self):
        for number in range(5):
            self.write(f"{number} ")
            await self.flush()


class Gate(web.RequestHandler):
    async def get(self):
        print("in the gate", flush=True)
        while not os.path.exists(self.get_argument("path")):
            await gen.sleep(0.02)
        self.write(json.dumps("through"))


class Block(web.RequestHandler):
    def get(self):
        print("blocks", flush=True)
        time.sleep(3600)


class Boom(web.RequestHandler):
    def get(self):
        raise ValueError("out of luck")


class Echo(websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(f"{len(message)}: {message}")


app = web.Application(
    [
        ("/who", Who),
        ("/orders", Orders),
        ("/stream", Stream),
        ("/gate", Gate),
        ("/boom", Boom),
        ("/block", Block),
        ("/ws", Echo),
    ]
)


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "path": environ["PATH_INFO"]}).encode()]
