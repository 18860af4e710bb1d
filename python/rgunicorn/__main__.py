"""`python -m rgunicorn`."""

from rgunicorn.app.wsgiapp import run

if __name__ == "__main__":
    run(prog="rgunicorn")
