import os
import signal
import time

bind = f"127.0.0.1:{os.environ.get('ODOO_PORT', '8069')}"
pidfile = ".gunicorn.pid"
workers = 2
# Reports take their time.
timeout = 240
graceful_timeout = 240
max_requests = 2000

GREEDY = False


def application(environ, start_response):
    global GREEDY
    if environ["PATH_INFO"] == "/report":
        open("begun", "w").close()
        while not os.path.exists("report.data"):
            time.sleep(0.02)
    GREEDY = environ["PATH_INFO"] == "/greedy"
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"{os.getpid()}\n".encode() if environ["PATH_INFO"] == "/pid" else b"done\n"


def expired(number, frame):
    raise RuntimeError("CPU time limit exceeded")


def pre_request(worker, req):
    signal.signal(signal.SIGXCPU, expired)


def post_request(worker, req, environ):
    # Memory limits are looked at between requests: a worker that has grown is told to go.
    if environ["PATH_INFO"] == "/greedy":
        worker.log.info("worker has grown too large")
        worker.alive = False
