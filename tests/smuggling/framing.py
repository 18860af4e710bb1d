"""Payloads about where a body ends: its length, its coding, its chunks."""

from __future__ import annotations

from .payload import (
    CHUNKED,
    HIDDEN,
    INNER,
    LAST,
    SMUGGLED,
    cl,
    first,
    head,
    refused,
    taken,
)

N = len(SMUGGLED)
SIZE_LINE = INNER[: INNER.index(b"\n") + 1]

CL_TE = refused(
    "CL.TE",
    400,
    {
        "length, then chunked": head(cl(HIDDEN), CHUNKED) + HIDDEN,
        "chunked, then length": head(CHUNKED, cl(HIDDEN)) + HIDDEN,
        "length 0": head(b"Content-Length: 0", CHUNKED) + HIDDEN,
        "the length is no number": head(b"Content-Length: x", CHUNKED) + HIDDEN,
        "the length is empty": head(b"Content-Length:", CHUNKED) + HIDDEN,
        "two codings": head(cl(HIDDEN), b"Transfer-Encoding: gzip, chunked") + HIDDEN,
        "a name in other case": head(cl(HIDDEN), b"tRANSFER-eNCODING: cHUNKED") + HIDDEN,
        "no blank after the colon": head(cl(HIDDEN), b"Transfer-Encoding:chunked") + HIDDEN,
        "a tab after the colon": head(cl(HIDDEN), b"Transfer-Encoding:\tchunked") + HIDDEN,
        "blanks after the value": head(cl(HIDDEN), b"Transfer-Encoding: chunked \t ") + HIDDEN,
    },
)

TE_CL = refused(
    "TE.CL",
    400,
    {
        "the length ends after the chunk size": head(cl(SIZE_LINE), CHUNKED) + INNER,
        "the other order": head(CHUNKED, cl(SIZE_LINE)) + INNER,
        "length 0": head(CHUNKED, b"Content-Length: 0") + INNER,
    },
)

TE_TE = [
    *refused(
        "TE.TE",
        501,
        {
            "xchunked": head(b"Transfer-Encoding: xchunked", cl(HIDDEN)) + HIDDEN,
            "quoted": head(b'Transfer-Encoding: "chunked"', cl(HIDDEN)) + HIDDEN,
            "single quotes": head(b"Transfer-Encoding: 'chunked'", cl(HIDDEN)) + HIDDEN,
            "with a parameter": head(b"Transfer-Encoding: chunked;q=1") + HIDDEN,
            "an empty element before": head(b"Transfer-Encoding: ,chunked") + HIDDEN,
            "an empty element after": head(b"Transfer-Encoding: chunked,") + HIDDEN,
            "empty": head(b"Transfer-Encoding:", cl(HIDDEN)) + HIDDEN,
            "cow after chunked": head(b"Transfer-Encoding: chunked, cow") + HIDDEN,
            "cow before chunked": head(b"Transfer-Encoding: cow, chunked") + HIDDEN,
            "a second field": head(CHUNKED, b"Transfer-Encoding: cow", cl(HIDDEN)) + HIDDEN,
            "with a no-break space": head(b"Transfer-Encoding: \xa0chunked", cl(HIDDEN)) + HIDDEN,
            "a long s is no s": head(b"Transfer-Encoding: chun\xe2\x84\xaaed") + HIDDEN,
        },
    ),
    *refused(
        "TE.TE",
        400,
        {
            "identity after chunked": head(b"Transfer-Encoding: chunked, identity") + HIDDEN,
            "identity alone": head(b"Transfer-Encoding: identity", cl(HIDDEN)) + HIDDEN,
            "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + HIDDEN,
            "chunked in two fields": head(CHUNKED, CHUNKED) + HIDDEN,
            "gzip only": head(b"Transfer-Encoding: gzip", cl(HIDDEN)) + HIDDEN,
            "a vertical tab": head(b"Transfer-Encoding: \x0bchunked", cl(HIDDEN)) + HIDDEN,
            "a form feed": head(b"Transfer-Encoding:\x0cchunked", cl(HIDDEN)) + HIDDEN,
            "a NUL": head(b"Transfer-Encoding: chunked\0", cl(HIDDEN)) + HIDDEN,
            "a CR": head(b"Transfer-Encoding: chunked\r", cl(HIDDEN)) + HIDDEN,
            "a blank before the colon": head(b"Transfer-Encoding : chunked", cl(HIDDEN)) + HIDDEN,
            "a tab before the colon": head(b"Transfer-Encoding\t: chunked", cl(HIDDEN)) + HIDDEN,
            "a NUL before the colon": head(b"Transfer-Encoding\0: chunked", cl(HIDDEN)) + HIDDEN,
            "a blank before the name": head(cl(HIDDEN), b" Transfer-Encoding: chunked") + HIDDEN,
            "behind a bare LF": head(b"X-Field: y\nTransfer-Encoding: chunked", cl(HIDDEN))
            + HIDDEN,
            "behind a bare CR": head(b"X-Field: y\rTransfer-Encoding: chunked", cl(HIDDEN))
            + HIDDEN,
            "no colon": head(b"Transfer-Encoding chunked", cl(HIDDEN)) + HIDDEN,
            "HTTP/1.0": head(CHUNKED).replace(b"/1.1", b"/1.0") + HIDDEN,
            "HTTP/1.0 with a length": head(cl(HIDDEN), CHUNKED).replace(b"/1.1", b"/1.0") + HIDDEN,
        },
    ),
    *taken(
        "TE.TE",
        {
            "an underscore is another name": (
                head(b"Transfer_Encoding: chunked", cl(HIDDEN)) + HIDDEN,
                first(HIDDEN),
            ),
            "TE is another field": (head(b"TE: chunked", cl(HIDDEN)) + HIDDEN, first(HIDDEN)),
            "Content-Encoding is another field": (
                head(b"Content-Encoding: chunked", cl(HIDDEN)) + HIDDEN,
                first(HIDDEN),
            ),
        },
    ),
]

EXTENSIONS = [
    *refused(
        "chunk extensions",
        400,
        {
            "a bare LF in it": head(CHUNKED) + b"2;\nxx\r\n" + HIDDEN,
            "a bare CR in it": head(CHUNKED) + b"2;x\ry\r\nab\r\n" + HIDDEN,
            "nothing after the semicolon": head(CHUNKED) + b"2;\r\nab\r\n" + HIDDEN,
            "a quote that does not end": head(CHUNKED) + b'2;a="\r\nab\r\n' + HIDDEN,
            "a NUL": head(CHUNKED) + b"2;a=\0\r\nab\r\n" + HIDDEN,
            "no semicolon": head(CHUNKED) + b"2 a=b\r\nab\r\n" + HIDDEN,
            "a comma": head(CHUNKED) + b"2,a=b\r\nab\r\n" + HIDDEN,
            "of the last chunk, with LF": head(CHUNKED) + b"0;a\n\r\n" + SMUGGLED,
            "a line end in quotes": head(CHUNKED) + b'2;a="\r\n\r\n"\r\nab\r\n' + HIDDEN,
            "a line without an end": head(CHUNKED) + b"2;a=" + b"b" * 9000 + b"\r\nab\r\n" + LAST,
        },
    ),
    *taken(
        "chunk extensions",
        {
            "proper ones": (
                head(CHUNKED) + b'2;a;b=c;d="e \\" f"\r\nab\r\n0;x=y\r\n\r\n',
                first(b"ab"),
            ),
            "with blanks": (head(CHUNKED) + b"2 ; a = b\r\nab\r\n" + LAST, first(b"ab")),
        },
    ),
]

SIZES = [
    *refused(
        "chunk sizes",
        400,
        {
            "0x": head(CHUNKED) + b"0x2\r\nab\r\n" + HIDDEN,
            "a sign": head(CHUNKED) + b"+2\r\nab\r\n" + HIDDEN,
            "a minus": head(CHUNKED) + b"-2\r\nab\r\n" + HIDDEN,
            "a blank before": head(CHUNKED) + b" 2\r\nab\r\n" + HIDDEN,
            "a blank after": head(CHUNKED) + b"2 \r\nab\r\n" + HIDDEN,
            "a tab after": head(CHUNKED) + b"2\t\r\nab\r\n" + HIDDEN,
            "an underscore": head(CHUNKED) + b"0_2\r\nab\r\n" + HIDDEN,
            "empty": head(CHUNKED) + b"\r\nab\r\n" + HIDDEN,
            "no hexadecimal digit": head(CHUNKED) + b"2g\r\nab\r\n" + HIDDEN,
            "65 bits": head(CHUNKED) + b"10000000000000002\r\nab\r\n" + HIDDEN,
            "68 bits that wrap to 0": head(CHUNKED) + b"100000000000000000\r\n\r\n" + SMUGGLED,
            "a chunk longer than it says": head(CHUNKED) + b"2\r\nabc\r\n" + HIDDEN,
            "a chunk shorter than it says": head(CHUNKED) + b"4\r\nab\r\n" + HIDDEN,
            "no CRLF after the chunk": head(CHUNKED) + b"2\r\nab0\r\n\r\n" + SMUGGLED,
            "a NUL": head(CHUNKED) + b"2\0\r\nab\r\n" + HIDDEN,
            "digits of another script": head(CHUNKED) + b"\xd9\xa2\r\nab\r\n" + HIDDEN,
            "a full stop": head(CHUNKED) + b"2.0\r\nab\r\n" + HIDDEN,
        },
    ),
    *taken(
        "chunk sizes",
        {
            "leading zeros": (head(CHUNKED) + b"0000002\r\nab\r\n" + LAST, first(b"ab")),
            "more zeros than a number has digits": (
                head(CHUNKED) + b"0" * 40 + b"2\r\nab\r\n" + LAST,
                first(b"ab"),
            ),
            "a last chunk of many zeros": (
                head(CHUNKED) + b"2\r\nab\r\n000000\r\n\r\n",
                first(b"ab"),
            ),
            "capitals": (head(CHUNKED) + b"A\r\n0123456789\r\n" + LAST, first(b"0123456789")),
        },
    ),
]

LENGTHS = [
    *refused(
        "lengths",
        400,
        {
            "a plus": head(b"Content-Length: +%d" % N) + SMUGGLED,
            "a minus": head(b"Content-Length: -%d" % N) + SMUGGLED,
            "minus 0": head(b"Content-Length: -0") + SMUGGLED,
            "a list": head(b"Content-Length: %d, %d" % (N, N)) + SMUGGLED,
            "a list of others": head(b"Content-Length: 0, %d" % N) + SMUGGLED,
            "a list with nothing": head(b"Content-Length: %d," % N) + SMUGGLED,
            "hexadecimal": head(b"Content-Length: 0x%x" % N) + SMUGGLED,
            "an exponent": head(b"Content-Length: 1e1") + SMUGGLED,
            "a fraction": head(b"Content-Length: %d.0" % N) + SMUGGLED,
            "an underscore": head(b"Content-Length: 1_0") + SMUGGLED,
            "empty": head(b"Content-Length:") + SMUGGLED,
            "a blank inside": head(b"Content-Length: 1 0") + SMUGGLED,
            "superscript": head(b"Content-Length: \xb2") + SMUGGLED,
            "digits of another script": head(b"Content-Length: \xd9\xa2") + SMUGGLED,
            "65 bits": head(b"Content-Length: 18446744073709551617") + SMUGGLED,
            "quoted": head(b'Content-Length: "%d"' % N) + SMUGGLED,
            "a blank before the colon": head(b"Content-Length : %d" % N) + SMUGGLED,
            "a vertical tab": head(b"Content-Length: \x0b%d" % N) + SMUGGLED,
        },
    ),
    *taken(
        "lengths",
        {
            "leading zeros": (head(b"Content-Length: 000%d" % N) + SMUGGLED, first(SMUGGLED)),
            "an underscore in the name": (
                head(b"Content_Length: 0", cl(SMUGGLED)) + SMUGGLED,
                first(SMUGGLED),
            ),
            "a look-alike name": (
                head(b"Content-Length2: 0", cl(SMUGGLED)) + SMUGGLED,
                first(SMUGGLED),
            ),
        },
    ),
]

TRAILERS = [
    *taken(
        "trailers",
        {
            "an innocent one": (
                head(CHUNKED, b"Trailer: X-Field") + b"2\r\nab\r\n0\r\nX-Field: y\r\n\r\n",
                first(b"ab"),
            ),
            "named as the proxy's": (
                head(CHUNKED) + b"2\r\nab\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
                first(b"ab"),
            ),
        },
    ),
    *refused(
        "trailers",
        400,
        {
            "Content-Length": head(CHUNKED) + b"0\r\nContent-Length: 9\r\n\r\n" + SMUGGLED,
            "Transfer-Encoding": head(CHUNKED) + b"0\r\n" + CHUNKED + b"\r\n\r\n" + SMUGGLED,
            "Host": head(CHUNKED) + b"0\r\nHost: evil.test\r\n\r\n" + SMUGGLED,
            "a request for a trailer": head(CHUNKED) + b"0\r\n" + SMUGGLED,
            "a folded one": head(CHUNKED) + b"0\r\nX: a\r\n b\r\n\r\n" + SMUGGLED,
            "a NUL": head(CHUNKED) + b"0\r\nX: a\0\r\n\r\n" + SMUGGLED,
            "LF between two": head(CHUNKED) + b"0\r\nX: a\nY: b\r\n\r\n" + SMUGGLED,
        },
    ),
]
