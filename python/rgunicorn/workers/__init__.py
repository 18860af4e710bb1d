"""The worker classes that have short names."""

from __future__ import annotations

# Gunicorn's aliases. Programs in the wild replace entries here.
SUPPORTED_WORKERS = {
    "sync": "rgunicorn.workers.sync.SyncWorker",
    "gthread": "rgunicorn.workers.gthread.ThreadWorker",
    "gevent": "rgunicorn.workers.ggevent.GeventWorker",
    "gevent_wsgi": "rgunicorn.workers.ggevent.GeventPyWSGIWorker",
    "gevent_pywsgi": "rgunicorn.workers.ggevent.GeventPyWSGIWorker",
    "tornado": "rgunicorn.workers.gtornado.TornadoWorker",
    "asgi": "rgunicorn.workers.gasgi.ASGIWorker",
}
