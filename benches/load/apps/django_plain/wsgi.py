"""The application that servers load: django_plain.wsgi:application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_plain.settings")

application = get_wsgi_application()
