from flask import Flask, request


def create_app():
    app = Flask("superset")

    @app.get("/explore/")
    def explore():
        # Charts are described in the address: it gets as long as it gets.
        return {
            "form_data": len(request.args.get("form_data", "")),
            "cookie": len(request.headers.get("Cookie", "")),
            "scheme": request.scheme,
        }

    return app
