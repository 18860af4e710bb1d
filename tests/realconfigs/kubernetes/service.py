"""A service with a database: connections must not cross a fork."""

import os
import time


class Database:
    def __init__(self):
        self.connect()

    def connect(self):
        self.owner = os.getpid()

    def query(self):
        assert self.owner == os.getpid(), "a connection made before the fork"
        return "1 row"


db = Database()
worker = None


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        open("begun", "w").close()
        # A long poll: it ends early when its worker is told to leave.
        while worker.alive:
            time.sleep(0.02)
    body = db.query().encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
