"""Connections made up from a seed: requests that are right, nearly right, and broken.

The same seed gives the same bytes on every machine (`random.Random` promises so for what is used
here).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"M-SEARCH"]
ODD_METHODS = [b"get", b"PO ST", b"G", b"GE#T", b"X" * 21, b"", b"GET\0", b"P\xc3\xb6ST", b"!#$%&'"]
TARGETS = [b"/", b"/a/b?c=d", b"/%2541%00?x#y", b"//host/a", b"/a;b=c", b"http://other.test/a?b"]
ODD_TARGETS = [
    b"*",
    b"a:80",
    b"a",
    b"",
    b"/a b",
    b"/\xe9",
    b"/a\0",
    b"http://",
    b"//[::1",
    b"http://[/",
    b"x://y\\z?#",
    b"?a",
    b"#",
    b"/\x7f",
    b"/a" * 2100,
    b"http://a@b:c/\\",
]
VERSIONS = [b"HTTP/1.1"] * 8 + [b"HTTP/1.0"]
ODD_VERSIONS = [b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.10", b"http/1.1", b"HTTP/1.1 ", b""]
FIELDS = [
    b"Accept: */*",
    b"Connection: close",
    b"Connection: keep-alive, x",
    b"Content-Type: text/plain",
    b"Cookie: a=b; c=d",
    b"Expect: 100-continue",
    b"Trailer: X",
    b"Upgrade: websocket",
    b"X-Empty:",
    b"X-Blanks: \t a  b \t",
    b"X-High: \xe9\xff",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-For: 1.2.3.4",
    b"x-lower: y",
    b"X_Under: y",
    b"!#$%&'*+-.^`|~: y",
    b"X-Colon: a: b",
    b"TE: trailers",
]
ODD_FIELDS = [
    b"Host: second.test",
    b"Content-Type: again",
    b"Expect: more",
    b"X-Forwarded-Proto: http",
    b"X-Forwarded-Ssl: on",
    b"SCRIPT_NAME: /a",
    b"REMOTE_USER: me",
    b" X: leading blank",
    b"X : blank before colon",
    b"X\t: tab before colon",
    b": nameless",
    b"no colon",
    b"X: fold\r\n ed",
    b"X: fold\r\n\t",
    b"X: bare\nLF",
    b"X: bare\rCR",
    b"X: nul\0",
    b"X: del\x7f",
    b"X: ctl\x01",
    b"X\xe9: y",
    b"\xdf: y",
    b"(X): y",
    b"X: " + b"v" * 8185,
    b"X: " + b"v" * 8190,
    b"Transfer_Encoding: chunked",
    b"Content_Length: 3",
]
LENGTHS = [
    b"0%d",
    b"+%d",
    b"-%d",
    b"%d,%d",
    b"%d, %d",
    b"%d ",
    b"\t%d",
    b"0x%x",
    b"%d.0",
    b"%d_0",
    b"",
    b"\xb2",
    b"\xb9%d",
    b"1844674407370955161%d",
    b"000000000000000000000000000%d",
    b"%d;",
    b'"%d"',
]
CODINGS = [
    b"Chunked",
    b"identity, chunked",
    b"gzip, chunked",
    b"deflate,chunked",
    b"chunked, identity",
    b"chunked, chunked",
    b"chunked,",
    b",chunked",
    b"identity",
    b"gzip",
    b"xchunked",
    b"chunked;q=1",
    b'"chunked"',
    b"chunked \t",
    b"\x0bchunked",
    b"chunked\0",
    b"",
]
SIZES = [
    b"%X",
    b"0%x",
    b"00000000000000000000000%x",
    b"0x%x",
    b"+%x",
    b"-%x",
    b" %x",
    b"%x ",
    b"%x\t",
    b"%x_0",
    b"1000000000000000%x",
    b"10000000000000000%x",
    b"",
    b"%xg",
    b"%x;a",
    b"%x;a=b",
    b'%x;a="b;\\"c"',
    b"%x ; a = b",
    b"%x;",
    b"%x;;",
    b'%x;a="',
    b"%x;a=\0",
    b"%x;a\rb",
    b"%x;\xe9",
    b'%x;a="\xe9"',
    b"%x;a b",
    b"%x\0",
]
TRAILERS = [b"X-Trailer: y", b"x_trailer: y", b"X-Two: a  b"]
ODD_TRAILERS = [
    b"Host: x",
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Trailer: x",
    b"TE: x",
    b"Authorization: x",
    b"Expect: x",
    b"Content-Type: a/b",
    b"X: a\r\n b",
    b" X: y",
    b"X : y",
    b"X: a\nY: b",
    b"X: \0",
    b"GET / HTTP/1.1",
]
ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"", b" \r\n", b"\0\r\n"]
BYTES = [
    b"\0",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b":",
    b";",
    b",",
    b"\x0b",
    b"\x7f",
    b"\x85",
    b"_",
]
BYTES += [
    b"0",
    b"9",
    b"a",
    b"\xa0",
    b"\xff",
    b"\r\n\r\n",
    b"\r\n ",
    b'"',
    b"\\",
    b"#",
    b"?",
    b"://",
]


class Maker:
    """Makes connections. `oddity`: the chance that a choice is an odd one."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.oddity = self.random.choice([0.0, 0.02, 0.1])

    def connection(self) -> bytes:
        """One to three requests; in a third of all cases with bytes changed at random."""
        raw = b"".join(self.request() for _ in range(self.random.randint(1, 3)))
        if self.random.random() < 0.3:
            for _ in range(self.random.randint(1, 3)):
                raw = self.random.choice(CHANGES)(self.random, raw)
        return raw

    def request(self) -> bytes:
        """Request line, fields, body."""
        method = self.pick(METHODS, ODD_METHODS)
        target = self.pick(TARGETS, ODD_TARGETS)
        version = self.pick(VERSIONS, ODD_VERSIONS)
        fields = [] if self.odd() else [b"Host: example.test"]
        count = self.random.choice([0, 0, 1, 1, 2, 3, 5, 101 if self.odd() else 4])
        fields += [self.pick(FIELDS, ODD_FIELDS) for _ in range(count)]
        framing, body = self.body()
        for line in framing:
            fields.insert(self.random.randint(0, len(fields)), line)
        lines = [b" ".join([method, target, version]), *fields, b""]
        start = b"\r\n" if self.random.random() < 0.05 else b""
        return start + b"".join(line + self.end() for line in lines) + body

    def body(self) -> tuple[list[bytes], bytes]:
        """The fields that frame it, and the bytes."""
        data = self.random.randbytes(self.random.choice([0, 1, 3, 20]))
        if self.random.random() < 0.1:
            data = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
        kind = self.random.randrange(6)
        if kind < 2 and not self.odd():
            return [], b""
        length = self.filled(self.pick([b"%d"], LENGTHS), len(data))
        field = (
            self.pick([b"Content-Length: ", b"content-length:"], [b"Content-Length : "]) + length
        )
        if kind < 4 and not self.odd():
            return [field] * (2 if self.odd() else 1), data
        coding = self.pick([b"chunked"], CODINGS)
        fields = [self.pick([b"Transfer-Encoding: "], [b"transfer-encoding:\t"]) + coding]
        if self.odd():
            fields.append(field)
        if self.odd():
            fields.append(b"Transfer-Encoding: " + self.random.choice(CODINGS))
        return fields, self.chunks(data)

    def chunks(self, data: bytes) -> bytes:
        """A chunked body."""
        raw = b""
        while data:
            length = self.random.randint(1, len(data))
            size = self.filled(self.pick([b"%x"], SIZES), length)
            raw += size + self.end() + data[:length] + self.end()
            data = data[length:]
        raw += self.pick([b"0", b"000"], [b"0;a=b", b"0 ", b"-0", b"00000000000000000000000"])
        raw += self.end()
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            raw += self.pick(TRAILERS, ODD_TRAILERS) + self.end()
        return raw + self.end()

    def pick(self, usual: list[bytes], odd: list[bytes]) -> bytes:
        return self.random.choice(odd if self.odd() else usual)

    def odd(self) -> bool:
        return self.random.random() < self.oddity

    def end(self) -> bytes:
        """A line's end; hardly ever another than CRLF."""
        if self.random.random() < self.oddity / 8:
            return self.random.choice(ENDS)
        return b"\r\n"

    @staticmethod
    def filled(text: bytes, number: int) -> bytes:
        count = text.count(b"%d") + text.count(b"%x") + text.count(b"%X")
        return text % ((number,) * count) if count else text


def _insert(random: Random, raw: bytes) -> bytes:
    at = random.randint(0, len(raw))
    return raw[:at] + random.choice(BYTES) + raw[at:]


def _replace(random: Random, raw: bytes) -> bytes:
    at = random.randint(0, max(len(raw) - 1, 0))
    return raw[:at] + random.choice(BYTES) + raw[at + 1 :]


def _delete(random: Random, raw: bytes) -> bytes:
    at = random.randint(0, len(raw))
    return raw[:at] + raw[at + random.randint(1, 3) :]


def _flip(random: Random, raw: bytes) -> bytes:
    if not raw:
        return raw
    at = random.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ (1 << random.randrange(8))]) + raw[at + 1 :]


def _repeat_line(random: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    at = random.randrange(len(lines))
    lines.insert(random.randint(0, len(lines)), lines[at])
    return b"\r\n".join(lines)


def _move_line(random: Random, raw: bytes) -> bytes:
    lines = raw.split(b"\r\n")
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(random.randint(0, len(lines)), line)
    return b"\r\n".join(lines)


CHANGES: list[Callable[[Random, bytes], bytes]] = [
    _insert,
    _insert,
    _replace,
    _delete,
    _flip,
    _repeat_line,
    _move_line,
]


def connection(seed: int) -> bytes:
    """The connection of that seed."""
    return Maker(seed).connection()
