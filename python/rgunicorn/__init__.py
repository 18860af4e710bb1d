"""rgunicorn: a Gunicorn-compatible pre-fork WSGI server with a Rust core."""

version_info = (0, 1, 0)
__version__ = ".".join(str(part) for part in version_info)

# The Gunicorn release whose observable behaviour this package follows.
GUNICORN_VERSION = "27.0.1"

SERVER = "rgunicorn"
# Programs in the wild test for the prefix "gunicorn/".
SERVER_SOFTWARE = f"gunicorn/{GUNICORN_VERSION} rgunicorn/{__version__}"
