"""What an application knows of a request's name and of its worker.

`/facts` tells it in JSON, `/own` names the response itself, `/status?CODE` answers with that code,
`/raise?SECONDS` raises then, `/kill` ends the worker.
"""

import json
import os
import signal
import time

KEYS = ("HTTP_X_REQUEST_ID", "rgunicorn.request_id", "rgunicorn.worker_slot")


def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    if path == "/raise":
        time.sleep(float(query or 0))
        raise RuntimeError("asked to")
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    facts = {key: environ[key] for key in KEYS if key in environ}
    facts["slot"] = os.environ.get("RGUNICORN_WORKER_SLOT")
    facts["pid"] = os.getpid()
    body = json.dumps(facts).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if path == "/own":
        headers.append(("X-REQUEST-ID", "the-apps-own"))
    status = f"{query} Asked For" if path == "/status" else "200 OK"
    if path == "/renamed":
        environ["REMOTE_ADDR"] = "203.0.113.7"
    start_response(status, headers)
    return [body]
