# The example's configuration. The same file serves Gunicorn.
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.arbiter import Arbiter

workers = 4
accesslog = "-"
wsgi_app = "mysite.wsgi:application"


def when_ready(server: Arbiter) -> None:
    server.log.info("The example is ready: /, /admin/, /upload/, /stream/, /file/, /whoami/")
