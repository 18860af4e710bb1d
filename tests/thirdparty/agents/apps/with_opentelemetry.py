"""The shop instrumented by hand; each worker has a provider of its own, made in post_fork."""

from opentelemetry.instrumentation.flask import FlaskInstrumentor
from shop import app

FlaskInstrumentor().instrument_app(app)
