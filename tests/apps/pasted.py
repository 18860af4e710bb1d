"""What PasteDeploy calls to make an application, and the application."""

from __future__ import annotations

import json
import logging
import os
import sys


def factory(global_conf, **local_conf):
    server = sys.modules.get("gunicorn")

    def app(environ, start_response):
        logging.getLogger("shop").warning("sold")
        found = {
            "global": dict(global_conf),
            "local": local_conf,
            "gunicorn": server and os.path.basename(os.path.dirname(server.__file__)),
            "master": os.getppid(),
        }
        body = json.dumps(found).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return app


def broken(global_conf):
    raise KeyError("of its own")
