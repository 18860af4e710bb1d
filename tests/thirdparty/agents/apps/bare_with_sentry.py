"""The same for an application without a framework."""

from with_sentry import sentry_sdk  # isort: skip
import bare
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

assert sentry_sdk.is_initialized()
app = SentryWsgiMiddleware(bare.app)
