# The example's configuration. The same file serves Gunicorn.
workers = 4
accesslog = "-"
wsgi_app = "mysite.wsgi:application"


def when_ready(server):
    server.log.info("The example is ready: /, /admin/, /upload/, /stream/, /file/, /whoami/")
