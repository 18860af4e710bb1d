"""Workers that other code has a look at, or a say in: `nr` and `alive`."""

import threading
import time

from gunicorn.workers.sync import SyncWorker

TURNS = [0]


def app(environ, start_response):
    path = environ["PATH_INFO"]
    body = b"%d" % TURNS[0]
    if path == "/begin":
        threading.Thread(target=take_turns, daemon=True).start()
    elif path == "/compute":
        # Long enough to be taken for a call that lasts.
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def take_turns():
    while True:
        TURNS[0] += 1
        time.sleep(0.0001)


class OwnWords(SyncWorker):
    """Says for itself what `nr` and `alive` are."""

    _nr = 0
    _goes_on = True

    @property
    def nr(self):
        return self._nr

    @nr.setter
    def nr(self, value):
        self._nr = value

    @property
    def alive(self):
        return self._goes_on and self._nr < 3

    @alive.setter
    def alive(self, value):
        self._goes_on = value
