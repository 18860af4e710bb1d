"""A Tornado application that waits at the gates of `apps/deadlines.py`."""

import os
from pathlib import Path

from tornado import gen, web

GATE = Path(os.environ["GATE"])


class Stuck(web.RequestHandler):
    async def get(self, name):
        (GATE / f"{name}.in").touch()
        while not (GATE / name).exists():
            await gen.sleep(0.02)
        (GATE / f"{name}.out").touch()
        self.write("late")


class Hello(web.RequestHandler):
    def get(self):
        self.write("ok")


app = web.Application([("/stuck/(.*)", Stuck), ("/.*", Hello)])
