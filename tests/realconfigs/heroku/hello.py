from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def index():
    return f"{request.scheme} {request.url}\n"
