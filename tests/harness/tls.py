"""A TLS client that knows bytes: its ciphertext can be cut, held back and broken."""

from __future__ import annotations

import contextlib
import socket
import ssl

from .certificates import certificates


class TLSAddress(tuple[str, int]):
    """An address whose server speaks TLS."""

    __slots__ = ()


class TLSStream:
    """TLS over the connected `raw`, with the names of a socket.

    Unlike `ssl.SSLSocket` it can end its own side and read on.
    """

    def __init__(
        self,
        raw: socket.socket,
        context: ssl.SSLContext | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self.raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or certificates().client_context()
        self.object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost", session=session
        )
        self._established = False
        self.ragged = False
        """The server's stream ended without TLS's goodbye."""

    def settimeout(self, timeout: float | None) -> None:
        self.raw.settimeout(timeout)

    def handshake(self) -> TLSStream:
        """Makes the handshake; without, the first transfer does."""
        while True:
            try:
                self.object.do_handshake()
            except ssl.SSLWantReadError:
                self.raw.sendall(self._outgoing.read())
                self._feed()
            else:
                self._established = True
                self.raw.sendall(self._outgoing.read())
                return self

    def hello(self) -> bytes:
        """The ciphertext of a ClientHello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.do_handshake()
        return self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """The ciphertext of `data`, to be sent on `raw`."""
        if not self._established:
            self.handshake()
        self.object.write(data)
        return self._outgoing.read()

    def sendall(self, data: bytes) -> None:
        self.raw.sendall(self.encrypt(data))

    def recv(self, size: int) -> bytes:
        if not self._established:
            self.handshake()
        while True:
            try:
                return self.object.read(size)
            except ssl.SSLWantReadError:
                self._feed()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                self.ragged = True
                return b""

    def goodbye(self) -> None:
        """Says TLS's goodbye and reads on."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.unwrap()
        self.raw.sendall(self._outgoing.read())

    def shutdown(self, how: int) -> None:
        """Ends our side, with a goodbye."""
        self.goodbye()
        self.raw.shutdown(how)

    def close(self) -> None:
        self.raw.close()

    def _feed(self) -> None:
        data = self.raw.recv(65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
