"""A shop in Flask that knows nothing of agents."""

from flask import Flask

app = Flask("shop")


@app.get("/hello/<int:number>")
def hello(number):
    return f"hello {number}"


@app.get("/boom/<int:number>")
def boom(number):
    raise RuntimeError("out of stock")
