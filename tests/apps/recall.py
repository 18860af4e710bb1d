"""Says its response in ways that a server which remembers earlier ones could get wrong."""

KEPT = {}


class Loud(str):
    """A str whose text is not what its object says."""


TYPE = "Content-Type"
LENGTH = "Content-Length"
OK = "200 OK"
LISTED = [(TYPE, "text/plain")]
LOUD = Loud("X-Loud")


def keep(environ, start_response):
    """Keeps the callables of this request."""
    KEPT["start_response"] = start_response
    KEPT["write"] = start_response(OK, [(LENGTH, "4")])
    return [b"kept"]


def use(environ, start_response):
    """Calls those of the request that has kept them: before, inside and after its own head."""
    found = []
    calls = (
        lambda: KEPT["start_response"]("500 No", [("X-Wrong", "1")]),
        lambda: KEPT["write"](b"wrong"),
    )
    for call in calls:
        found.append(refusal(call))
    write = start_response(OK, [(TYPE, "text/plain")])
    found.append(str(start_response is not KEPT["start_response"] and write is not KEPT["write"]))
    for call in calls:
        found.append(refusal(call))
    return ["\n".join(found).encode()]


def refusal(call):
    try:
        call()
    except RuntimeError as error:
        return str(error)
    return "allowed"


def vary(environ, start_response):
    """The same names, status and list each time, and other values where the query says so."""
    value = environ["QUERY_STRING"].encode("latin-1").decode("unicode_escape")
    LISTED[:] = [(TYPE, "text/plain"), ("X-Value", value), (LOUD, value), ("Server", value)]
    if value == "replaced":
        try:
            raise KeyError(value)
        except KeyError as error:
            start_response("503 Busy", [(TYPE, "text/html"), (LENGTH, "99")])
            start_response(OK, LISTED, (KeyError, error, None))
    else:
        start_response(OK, LISTED)
    LISTED[:] = [("X-Late", "1")]
    return [value.encode("latin-1")]


def lengths(environ, start_response):
    """As many bytes as the query says, and a second length behind it."""
    first, _, second = environ["QUERY_STRING"].partition("&")
    fields = [(LENGTH, length) for length in (first, second) if length]
    start_response(OK, [(TYPE, "text/plain"), *fields])
    return [b"x" * int(first)]


APPS = {"keep": keep, "use": use, "vary": vary, "lengths": lengths}


def app(environ, start_response):
    return APPS[environ["PATH_INFO"].lstrip("/")](environ, start_response)
