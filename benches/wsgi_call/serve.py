"""The responder of the load harness, with a WSGI call before each answer: its result is forgotten.

`python benches/wsgi_call/serve.py LIBRARY PORT`, LIBRARY being the responder's. What this costs
more than the responder alone is what CPython needs for the call in a server: after each system
call caches and branch predictors are the kernel's, and measure.py, which does nothing but call,
has them for itself.
"""

from __future__ import annotations

import ctypes
import sys

from measure import MEASURED, SCENARIOS, Scenario, app, build, request


def length(scenario: Scenario) -> int:
    """Bytes of a request's fields; wrk sends some more."""
    return sum(len(name) + len(value) + 4 for name, value in scenario.headers)


def main() -> int:
    library, port = ctypes.PyDLL(sys.argv[1]), int(sys.argv[2])
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    hello, browser = (by_name[MEASURED[name]] for name in ("hello", "browser"))
    longest = 100 + length(hello)
    assert length(browser) > longest, "nothing tells the two apart"
    module = build()
    address = module.prepare(app, longest, request(hello), request(browser))
    respond = library.respond
    respond.argtypes, respond.restype = [ctypes.c_uint16, ctypes.c_void_p], None
    respond(port, address)
    return 1


if __name__ == "__main__":
    sys.exit(main())
