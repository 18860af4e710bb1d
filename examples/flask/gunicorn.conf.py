# The example's configuration. The same file serves Gunicorn.
workers = 4
accesslog = "-"
wsgi_app = "app:create_app()"
