"""Payloads about what a line, a name, a target is, and where the next request begins."""

from __future__ import annotations

from .payload import (
    CHUNKED,
    HIDDEN,
    HOST,
    INNER,
    LAST,
    SMUGGLED,
    Case,
    Seen,
    chunk,
    cl,
    first,
    head,
    refused,
    taken,
)


def _lf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


OBS_FOLD = refused(
    "obs-fold",
    400,
    {
        "a value": head(b"X-Field: a\r\n b", cl(SMUGGLED)) + SMUGGLED,
        "with a tab": head(b"X-Field: a\r\n\tb", cl(SMUGGLED)) + SMUGGLED,
        "the coding": head(b"Transfer-Encoding:\r\n chunked", cl(HIDDEN)) + HIDDEN,
        "chunked on the folded line": head(b"Transfer-Encoding: gzip,\r\n chunked") + HIDDEN,
        "the length": head(b"Content-Length:\r\n %d" % len(SMUGGLED)) + SMUGGLED,
        "a length hides in a folded line": head(b"X-Field: a\r\n Content-Length: 9") + SMUGGLED,
        "Host": b"POST /first/@@@@ HTTP/1.1\r\nHost:\r\n example.test\r\n\r\n" + SMUGGLED,
        "a folded line of blanks": head(b"X-Field: a\r\n  ", b"Content-Length: 0") + SMUGGLED,
        "first of all": b"POST /first/@@@@ HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n" + SMUGGLED,
    },
)

LINE_ENDS = refused(
    "line ends",
    400,
    {
        "LF after the request line": head().replace(b"\r\n", b"\n", 1) + SMUGGLED,
        "LF everywhere": _lf(head(cl(SMUGGLED))) + SMUGGLED,
        "LF after a field": head(b"X-Field: y\nContent-Length: 0", cl(SMUGGLED)) + SMUGGLED,
        "LF LF ends the head": head(b"X-Field: y\n\nGET /smuggled/@@@@ HTTP/1.1"),
        "LF CR LF ends the head": head(b"X-Field: y")[:-4] + b"\n\r\n" + SMUGGLED,
        "CR LF LF ends the head": head(b"X-Field: y")[:-2] + b"\n" + SMUGGLED,
        "CR after the request line": head().replace(b"\r\n", b"\r", 1) + SMUGGLED,
        "CR in a value": head(b"X-Field: a\rb", cl(SMUGGLED)) + SMUGGLED,
        "CR CR LF": head(b"X-Field: y\r", cl(SMUGGLED)) + SMUGGLED,
        "CR in a name": head(b"X\rField: y", cl(SMUGGLED)) + SMUGGLED,
        "a chunk size that ends in LF": head(CHUNKED) + b"3\nabc\r\n" + HIDDEN,
        "a chunk that ends in LF": head(CHUNKED) + b"3\r\nabc\n" + HIDDEN,
        "a last chunk that ends in LF": head(CHUNKED) + b"0\n\r\n" + SMUGGLED,
        "a trailer section that ends in LF": head(CHUNKED) + b"0\r\n\n" + SMUGGLED,
        "LF before the request line": b"\n" + head(cl(b"")) + SMUGGLED,
        "two empty lines before": b"\r\n\r\n" + head(cl(b"")) + SMUGGLED,
    },
)

CONTROLS = refused(
    "control bytes",
    400,
    {
        "a NUL in a value": head(b"X-Field: a\0b", cl(SMUGGLED)) + SMUGGLED,
        "a NUL in a name": head(b"X\0Field: y", cl(SMUGGLED)) + SMUGGLED,
        "a NUL in the target": head(cl(SMUGGLED), target=b"/first\0/@@@@") + SMUGGLED,
        "a NUL in the method": head(cl(SMUGGLED), method=b"PO\0ST") + SMUGGLED,
        "a NUL before the request": b"\0" + head(cl(SMUGGLED)) + SMUGGLED,
        "DEL in a value": head(b"X-Field: a\x7fb", cl(SMUGGLED)) + SMUGGLED,
        "ESC in a value": head(b"X-Field: a\x1bb", cl(SMUGGLED)) + SMUGGLED,
        "a tab in the request line": head(cl(SMUGGLED), target=b"/first/@@@@\tx") + SMUGGLED,
        "two blanks in the request line": head(cl(SMUGGLED), target=b" /first/@@@@") + SMUGGLED,
        "a blank in the target": head(cl(SMUGGLED), target=b"/first/@@@@ /smuggled/@@@@")
        + SMUGGLED,
        "a byte beyond ASCII in the target": head(cl(SMUGGLED), target=b"/first/@@@@\xe9")
        + SMUGGLED,
        "a vertical tab for a blank": b"POST\x0b/first/@@@@ HTTP/1.1\r\n" + HOST + b"\r\n",
        "a name in parentheses": head(b"(X): y", cl(SMUGGLED)) + SMUGGLED,
        "a name with a blank": head(b"X Field: y", cl(SMUGGLED)) + SMUGGLED,
        "a name beyond ASCII": head(b"X-F\xefeld: y", cl(SMUGGLED)) + SMUGGLED,
        "an empty name": head(b": y", cl(SMUGGLED)) + SMUGGLED,
    },
)

TWICE = refused(
    "duplicates",
    400,
    {
        "two lengths": head(b"Content-Length: 0", cl(SMUGGLED)) + SMUGGLED,
        "two lengths, the other order": head(cl(SMUGGLED), b"Content-Length: 0") + SMUGGLED,
        "the same length twice": head(cl(SMUGGLED), cl(SMUGGLED)) + SMUGGLED,
        "in other case": head(cl(SMUGGLED), b"content-length: 0") + SMUGGLED,
        "two hosts": head(b"Host: evil.test", cl(SMUGGLED)) + SMUGGLED,
        "the same host twice": head(HOST[:-2], cl(SMUGGLED)) + SMUGGLED,
        "hosts far apart": head(b"X-Field: y", b"hOST: evil.test", cl(SMUGGLED)) + SMUGGLED,
        "two content types": head(b"Content-Type: a/b", b"Content-Type: c/d", cl(b"")) + SMUGGLED,
    },
)

NAMES = taken(
    "names",
    {
        "an underscore after the dash": (
            head(b"X-Field: good", b"X_Field: evil", cl(SMUGGLED)) + SMUGGLED,
            first(SMUGGLED),
        ),
        "an underscore before the dash": (
            head(b"X_Field: evil", b"X-Field: good", cl(SMUGGLED)) + SMUGGLED,
            first(SMUGGLED),
        ),
        "an underscore alone": (head(b"x_field: evil", cl(SMUGGLED)) + SMUGGLED, first(SMUGGLED)),
    },
)
"""`X_Field` and `X-Field` are one name in the environ: `evil` must not get there."""

TARGETS = [
    *taken(
        "targets",
        {
            "absolute, another host": (
                head(cl(SMUGGLED), target=b"http://other.test/first/@@@@") + SMUGGLED,
                first(SMUGGLED),
            ),
            "absolute, no path but a query": (
                head(cl(SMUGGLED), target=b"http://other.test/first/@@@@?/smuggled") + SMUGGLED,
                first(SMUGGLED),
            ),
            "an encoded CRLF and a request": (
                head(
                    cl(b""),
                    target=b"/first/@@@@?%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/smuggled/@@@@",
                ),
                first(),
            ),
            "an encoded CRLF in the path": (
                head(cl(b""), target=b"/first/@@@@%0d%0aContent-Length:%209%0d%0a"),
                (Seen("POST", "/first/@@@@\r\nContent-Length: 9\r\n"),),
            ),
            "an encoded NUL": (
                head(cl(b""), target=b"/first/@@@@?%00/smuggled"),
                first(),
            ),
        },
    ),
    *refused(
        "targets",
        400,
        {
            "authority": head(cl(SMUGGLED), target=b"example.test:80") + SMUGGLED,
            "asterisk": head(cl(SMUGGLED), target=b"*") + SMUGGLED,
            "relative": head(cl(SMUGGLED), target=b"first/@@@@") + SMUGGLED,
            "HTTP/0.9": b"GET /first/@@@@\r\n" + SMUGGLED,
            "HTTP/2.0": head(cl(SMUGGLED)).replace(b"/1.1", b"/2.0") + SMUGGLED,
            "HTTP/1.10": head(cl(SMUGGLED)).replace(b"/1.1", b"/1.10") + SMUGGLED,
            "http/1.1": head(cl(SMUGGLED)).replace(b"HTTP/1.1", b"http/1.1") + SMUGGLED,
            "a small method": head(cl(SMUGGLED), method=b"post") + SMUGGLED,
        },
    ),
]

BODIES = taken(
    "bodies that look like requests",
    {
        "GET with a length": (
            head(cl(SMUGGLED), method=b"GET") + SMUGGLED,
            first(SMUGGLED, "GET"),
        ),
        "GET in chunks": (head(CHUNKED, method=b"GET") + INNER, first(SMUGGLED, "GET")),
        "DELETE": (head(cl(SMUGGLED), method=b"DELETE") + SMUGGLED, first(SMUGGLED, "DELETE")),
        "OPTIONS": (head(cl(SMUGGLED), method=b"OPTIONS") + SMUGGLED, first(SMUGGLED, "OPTIONS")),
        "POST": (head(cl(SMUGGLED)) + SMUGGLED, first(SMUGGLED)),
        "POST in chunks": (head(CHUNKED) + INNER, first(SMUGGLED)),
        "a request per chunk": (
            head(CHUNKED) + chunk(SMUGGLED) + chunk(SMUGGLED) + LAST,
            first(SMUGGLED + SMUGGLED),
        ),
        "with Expect": (head(b"Expect: 100-continue", cl(SMUGGLED)) + SMUGGLED, first(SMUGGLED)),
        "Expect and chunks": (head(b"Expect: 100-continue", CHUNKED) + INNER, first(SMUGGLED)),
        "an upgrade": (
            head(b"Connection: Upgrade", b"Upgrade: h2c", cl(SMUGGLED)) + SMUGGLED,
            first(SMUGGLED),
        ),
        "length named hop-by-hop": (
            head(b"Connection: Content-Length, keep-alive", cl(SMUGGLED)) + SMUGGLED,
            first(SMUGGLED),
        ),
        "coding named hop-by-hop": (
            head(b"Connection: Transfer-Encoding, keep-alive", CHUNKED) + INNER,
            first(SMUGGLED),
        ),
    },
)

PIPELINED = [
    Case(
        "pipelined",
        "an honest second request",
        head(cl(b"abc")) + b"abc" + head(method=b"GET", target=b"/second/@@@@"),
        (*first(b"abc"), Seen("GET", "/second/@@@@")),
    ),
    Case(
        "pipelined",
        "a refused one behind a good one",
        head(cl(b"abc")) + b"abc" + head(cl(HIDDEN), CHUNKED, target=b"/second/@@@@") + HIDDEN,
        first(b"abc"),
        400,
    ),
    Case(
        "pipelined",
        "POST without a length has no body",
        head() + head(method=b"GET", target=b"/second/@@@@"),
        (*first(), Seen("GET", "/second/@@@@")),
    ),
    Case(
        "pipelined",
        "one empty line between",
        head(cl(b"abc")) + b"abc\r\n" + head(method=b"GET", target=b"/second/@@@@"),
        (*first(b"abc"), Seen("GET", "/second/@@@@")),
    ),
    Case(
        "pipelined",
        "rubbish between",
        head(cl(b"abc")) + b"abcX" + head(method=b"get", target=b"/second/@@@@"),
        first(b"abc"),
        400,
    ),
]
