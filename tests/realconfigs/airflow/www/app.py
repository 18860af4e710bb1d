from flask import Flask

app = None


def cached_app(config=None, testing=False):
    global app
    if app is None:
        app = Flask(__name__)
        app.add_url_rule("/health", view_func=lambda: {"metadatabase": {"status": "healthy"}})
    return app
