from flask import Flask, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix


def create_app(config="development"):
    app = Flask(__name__)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)

    @app.get("/")
    def index():
        return jsonify(config=config, url=request.url, client=request.remote_addr)

    @app.post("/upload")
    def upload():
        return jsonify({name: len(file.read()) for name, file in request.files.items()})

    @app.get("/broken")
    def broken():
        raise KeyError("no such item")

    return app
