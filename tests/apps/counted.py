"""Answers and failures for the tests of metrics, and a logger that sends one of its own."""

from __future__ import annotations

from gunicorn.instrument.statsd import Statsd


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise ValueError("boom")
    if path == "/late":
        start_response("200 OK", [])
        return late()
    status = {"/": "200 OK", "/404": "404 Not Found", "/odd": "299 Odd"}[path]
    start_response(status, [("Content-Length", "2")])
    return [b"ok"]


def late():
    yield b"something"
    raise ValueError("too late")


class Own(Statsd):
    """As programs in the wild derive their loggers."""

    def access(self, resp, req, environ, request_time):
        super().access(resp, req, environ, request_time)
        self.increment(f"own.{environ['REQUEST_METHOD']}", 1)
