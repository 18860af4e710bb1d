"""What exceptions say, and the status they carry: worker classes of others raise them."""

from __future__ import annotations

import json
import subprocess
import sys

from harness.compare import same
from harness.server import Command, clean_environment

SCRIPT = """
import importlib, json, sys
http = importlib.import_module(sys.argv[1] + ".http.errors")
uwsgi = importlib.import_module(sys.argv[1] + ".uwsgi.errors")
GIVEN = ["a b", "x\\x00y"]
ARGUMENTS = {
    "ParseException": [()],
    "NoMoreData": [(), (b"rest",)],
    "LimitRequestLine": [(4094, 4094), (7,)],
    "InvalidSchemeHeaders": [()],
    "UnsupportedModifier": [(5,)],
}
# A base class that is never raised; those whose words are all the core's.
OTHERS = ("UWSGIParseException", "InvalidResponseHeader", "InvalidResponseHeaderName")
found = {}
for module in (http, uwsgi):
    for name, kind in sorted(vars(module).items()):
        if name.startswith("_") or not isinstance(kind, type) or name in OTHERS:
            continue
        for args in ARGUMENTS.get(name, [(it,) for it in GIVEN]):
            said = kind(*args)
            found[f"{name}{args}"] = [str(said), getattr(said, "code", None)]
print(json.dumps(found))
"""


def said(python: str, package: str) -> dict[str, object]:
    done = subprocess.run(
        [python, "-c", SCRIPT, package], capture_output=True, text=True, env=clean_environment()
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_exceptions_say_what_gunicorns_say(gunicorn: Command) -> None:
    theirs = said(gunicorn.python, "gunicorn")
    assert len(theirs) > 40
    same(said(sys.executable, "rgunicorn"), theirs)
