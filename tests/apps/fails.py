"""Applications that can not be served, each in its own way. BREAK names the way."""

import os

way = os.environ.get("BREAK", "")

if way == "import":
    raise ValueError("broken on import")
if way == "exit":
    os._exit(9)
if way == "syntax":
    exec("def:")  # noqa: S102

if way != "missing":

    def application(environ, start_response):
        start_response("200 OK", [])
        return [b"whole"]


if way == "none":
    application = None
