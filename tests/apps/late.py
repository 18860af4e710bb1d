"""An application that is loaded when the file `gate` exists in the working directory."""

import os
import time

end = time.monotonic() + 60
while not os.path.exists("gate") and time.monotonic() < end:
    time.sleep(0.01)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"late"]
