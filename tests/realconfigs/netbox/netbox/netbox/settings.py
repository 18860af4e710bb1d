SECRET_KEY = "only for a test"
ALLOWED_HOSTS = ["*"]
USE_X_FORWARDED_HOST = True
ROOT_URLCONF = "netbox.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
