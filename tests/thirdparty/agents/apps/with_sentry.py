"""The shop with Sentry, whose Flask integration turns itself on."""

import os

import sentry_sdk

sentry_sdk.init(
    dsn=os.environ["SENTRY_SINK"],
    traces_sample_rate=1.0,
    # Seconds to send the rest at exit; the default of 2 is short on a busy machine.
    shutdown_timeout=30,
)

from shop import app  # noqa: E402, F401
