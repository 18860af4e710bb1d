"""The application of every hello scenario: plain WSGI, nothing but the call itself."""

BODY = b"Hello, World!"


def app(environ, start_response):
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))],
    )
    return [BODY]
