import os
import sys


def app(environ, start_response):
    if environ["PATH_INFO"] == "/orphan":
        # A child that leaves a child behind.
        child = os.fork()
        if not child:
            if not os.fork():
                while os.getppid() != int(environ["HTTP_X_MASTER"]):
                    pass
            os._exit(0)
        os.waitpid(child, 0)
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr, flush=True)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]
