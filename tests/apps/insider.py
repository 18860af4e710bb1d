"""A client of its own server: what it sends comes while the application runs."""

import socket

asked = []
"""Paths, in the order in which they were called."""
own = []


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path != "/order":
        asked.append(path)
    if path == "/connect":
        own.append(socket.create_connection((environ["SERVER_NAME"], environ["SERVER_PORT"])))
    if path in ("/connect", "/ask"):
        own[0].sendall(f"GET {path}ed HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    body = " ".join(asked).encode() if path == "/order" else b""
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
