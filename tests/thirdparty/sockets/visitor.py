"""A WebSocket client of another make, as a program: `visitor.py ws://HOST:PORT SCENE`.

It prints what it saw, one line each. Its environment is the servers', the tests' has none.
"""

import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

LARGE = "x" * (3 << 20)


def echo(url):
    with connect(f"{url}/echo", max_size=None, close_timeout=30) as socket:
        for message in ("text", b"\x00\xff", LARGE, LARGE.encode()):
            socket.send(message)
            print(socket.recv(60) == message)


def once(url):
    with connect(f"{url}/once", close_timeout=30) as socket:
        say(socket)


def fails(url):
    with connect(f"{url}/fails", close_timeout=30) as socket:
        say(socket)


def leaves(url):
    socket = connect(f"{url}/echo")
    socket.send("hello")
    print(socket.recv(60))
    # No closing handshake: the machine is gone.
    socket.socket.close()


def say(socket):
    try:
        socket.send("hello")
        while True:
            print(socket.recv(60))
    except ConnectionClosed as closed:
        # Ours is a complaint if what came was no WebSocket.
        theirs, ours = (frame and frame.code for frame in (closed.rcvd, closed.sent))
        print(f"closed: {theirs}, {ours}")
    except TimeoutError:
        print("never closed")


SCENES = {scene.__name__: scene for scene in (echo, once, fails, leaves)}

if __name__ == "__main__":
    SCENES[sys.argv[2]](sys.argv[1])
