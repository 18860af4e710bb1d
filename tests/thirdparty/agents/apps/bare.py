"""A shop without a framework: only the server can show an agent where requests come in."""


def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/boom/"):
        raise RuntimeError("out of stock")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]
