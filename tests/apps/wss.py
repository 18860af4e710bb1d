"""A WebSocket that answers in upper case, by flask-sock; pings every half second."""

from flask import Flask
from flask_sock import Sock

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 0.5}
sock = Sock(app)


@sock.route("/upper")
def upper(ws):
    while (text := ws.receive()) != "bye":
        ws.send(text.upper())
    ws.close()
