"""Reads the whole body at once, in a process that may have 8 MiB more than it has."""

import resource

ROOM = 8 * 1024 * 1024


def application(environ, start_response):
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[5])
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + ROOM, limits[1]))
    try:
        text = str(len(environ["wsgi.input"].read())).encode()
    except MemoryError:
        text = b"MemoryError"
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
