"""The declarations of all settings, in Gunicorn's order: importing this package registers them.

| module | owns |
|---|---|
| `base` | `Setting`, `KNOWN_SETTINGS` |
| `validators` | kinds of values that several settings share |
| `unbuilt` | refusal of what is not built yet |
| `page` | `docs/settings.md` |
| all others | declarations, one module for each run of Gunicorn's order |
"""

# The order of these imports is the order of the settings.
# isort: off
from rgunicorn.settings import server
from rgunicorn.settings import worker
from rgunicorn.settings import security
from rgunicorn.settings import debugging
from rgunicorn.settings import mechanics
from rgunicorn.settings import logging
from rgunicorn.settings import naming
from rgunicorn.settings import hooks
from rgunicorn.settings import proxy
from rgunicorn.settings import ssl
from rgunicorn.settings import http2
from rgunicorn.settings import parsing
from rgunicorn.settings import asgi
from rgunicorn.settings import dirty
from rgunicorn.settings import control
from rgunicorn.settings import own
from rgunicorn.settings import lifecycle
from rgunicorn.settings import deadlines
from rgunicorn.settings import recycling
from rgunicorn.settings import overload
from rgunicorn.settings import scaling
from rgunicorn.settings import status
from rgunicorn.settings import access
from rgunicorn.settings import files

DECLARATIONS = (
    server,
    worker,
    security,
    debugging,
    mechanics,
    logging,
    naming,
    hooks,
    proxy,
    ssl,
    http2,
    parsing,
    asgi,
    dirty,
    control,
    own,
    lifecycle,
    deadlines,
    recycling,
    overload,
    scaling,
    status,
    access,
    files,
)
