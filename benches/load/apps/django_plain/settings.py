"""Django and nothing around it: what the framework itself costs, and the way to it."""

# A benchmark on the loopback has nothing to protect.
SECRET_KEY = "a-key-that-protects-nothing-but-a-benchmark-of-hello"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "django_hello.urls"
