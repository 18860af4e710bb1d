"""The application that servers load: django_hello.wsgi:application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_hello.settings")

application = get_wsgi_application()
