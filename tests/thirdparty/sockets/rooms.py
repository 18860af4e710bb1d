"""WebSockets on a WSGI server: flask-sock, which speaks on `environ["gunicorn.socket"]`."""

from flask import Flask
from flask_sock import Sock

app = Flask("sockets")
sock = Sock(app)


@app.get("/")
def index():
    return "here\n"


@sock.route("/echo")
def echo(socket):
    while True:
        socket.send(socket.receive())


@sock.route("/once")
def once(socket):
    socket.send(socket.receive())


@sock.route("/fails")
def fails(socket):
    socket.send(socket.receive())
    raise RuntimeError("the handler failed")
