"""Counts and gauges of all workers together, as prometheus_client's multiprocess mode has them."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

ORDERS = Counter("orders", "Orders taken")
OPEN = Gauge("open_doors", "Doors open", multiprocess_mode="livesum")
OPEN.inc()


def app(environ, start_response):
    body = str(os.getpid()).encode()
    if environ["PATH_INFO"] == "/metrics":
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        body = generate_latest(registry)
    else:
        ORDERS.inc()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
