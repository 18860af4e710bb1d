import os


def application(environ, start_response):
    left = sorted(name for name in os.environ if name.startswith("LISTEN_"))
    body = f"{environ['SERVER_NAME']} {environ['REMOTE_ADDR']!r} {left}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
