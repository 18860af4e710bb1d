"""`environ["gunicorn.socket"]` of an encrypted connection: a socket that speaks TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn._core import TLSSession

# Ciphertext received at once: a full record with its frame.
_STEP = 17 * 1024


class TLSSocket:
    """A connected socket whose bytes are encrypted by the session that the server began.

    It works as `ssl.SSLSocket` does, for one reading and one writing thread at a time. What it
    does not have itself is looked up on the session (`getpeercert`, `cipher`, `version`, …), then
    on the socket (`getpeername`, `settimeout`, `setsockopt`, …).

    Args:
        sock: the connection below; this object owns it.
        session: what encrypts.
    """

    def __init__(self, sock: socket.socket, session: TLSSession) -> None:
        self._sock = sock
        self._session = session
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        # Ciphertext on its way out, in the order in which it was made. `_order` is never held
        # while anybody waits for the client.
        self._unsent = bytearray()
        self._order = threading.Lock()
        # As in `socket.socket`, whose `makefile` counts here.
        self._io_refs = 0
        self._closed = False
        # The client's stream is over.
        self._ended = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if hasattr(self._session.object, name):
            return getattr(self._session.object, name)
        return getattr(self._sock, name)

    def __enter__(self) -> TLSSocket:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<TLSSocket {self._session.object.version()} over {self._sock!r}>"

    def recv(self, bufsize: int = 1024, flags: int = 0) -> bytes:
        """Waits for up to `bufsize` bytes; none is the end.

        Raises:
            ssl.SSLWantReadError: the socket does not wait, and there is nothing.
            OSError: TimeoutError, ssl.SSLError, whatever has become of the connection.
        """
        self._refuse(flags)
        if bufsize == 0:
            return b""
        with self._reading:
            ciphertext = b""
            while True:
                with self._order:
                    plain, said = self._session.receive(ciphertext, bufsize)
                    self._unsent += said
                if said:
                    self._answer()
                if plain is not None:
                    return plain
                if self._ended:
                    return b""
                try:
                    ciphertext = self._sock.recv(_STEP)
                except BlockingIOError as exc:
                    raise ssl.SSLWantReadError(*exc.args) from None
                if not ciphertext:
                    self._session.end()
                    self._ended = True

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """`recv` into `buffer`, at most `nbytes` if not 0; returns how many bytes that was."""
        with memoryview(buffer) as view, view.cast("B") as space:
            data = self.recv(min(nbytes, len(space)) if nbytes else len(space), flags)
            space[: len(data)] = data
        return len(data)

    def read(self, len: int = 1024, buffer: Any = None) -> bytes | int:
        """`recv`, or `recv_into` with a `buffer`."""
        return self.recv(len) if buffer is None else self.recv_into(buffer, len)

    def send(self, data: Any, flags: int = 0) -> int:
        """Encrypts and sends all of `data`; returns its length.

        Raises:
            ssl.SSLWantWriteError: the socket does not wait, and takes nothing.
            OSError: as `recv`.
        """
        self._refuse(flags)
        with self._writing:
            self._flush()
            with memoryview(data) as view, view.cast("B") as plain:
                length = len(plain)
                with self._order:
                    self._unsent += self._session.encrypt(bytes(plain))
            # It counts as sent: what the socket does not take now goes out with the next call.
            with contextlib.suppress(ssl.SSLWantWriteError):
                self._flush()
        return length

    write = send

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Encrypts and sends all of `data`."""
        with memoryview(data) as view, view.cast("B") as plain:
            for at in range(0, len(plain), _STEP):
                self.send(plain[at : at + _STEP], flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Sends the rest of `file`, or `count` bytes, from `offset`; returns how many."""
        if offset:
            file.seek(offset)
        sent = 0
        while count is None or sent < count:
            data = file.read(_STEP if count is None else min(_STEP, count - sent))
            if not data:
                break
            self.sendall(data)
            sent += len(data)
        return sent

    def unwrap(self) -> socket.socket:
        """Says TLS's goodbye and returns the socket below."""
        self._goodbye()
        return self._sock

    def shutdown(self, how: int) -> None:
        """Ends one direction or both; our own with TLS's goodbye."""
        if how != socket.SHUT_RD:
            self._goodbye()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Closes this handle; the connection ends when the server has closed its own."""
        self._closed = True
        if self._io_refs <= 0:
            self._sock.close()

    def fileno(self) -> int:
        """The descriptor, for select and its kin; see also `pending`."""
        return self._sock.fileno()

    def makefile(self, mode: str = "r", buffering: int | None = None, **text: Any) -> Any:
        """A file object that reads and writes through TLS."""
        # The standard library's own works on whatever has `recv_into`, `send` and `_io_refs`.
        make: Any = socket.socket.makefile
        return make(self, mode, buffering, **text)

    def detach(self) -> int:
        """Not for TLS: the descriptor alone means nothing."""
        raise OSError("a TLS connection has no plain descriptor to detach")

    def sendmsg(self, *args: Any) -> int:
        """Not for TLS, as in `ssl.SSLSocket`."""
        raise NotImplementedError("sendmsg not allowed on TLS sockets")

    sendto = recvmsg = recvfrom = recvfrom_into = recvmsg_into = sendmsg

    def _decref_socketios(self) -> None:
        self._io_refs -= 1
        if self._closed:
            self.close()

    def _flush(self) -> None:
        while True:
            with self._order:
                piece = bytes(self._unsent[: 4 * _STEP])
            if not piece:
                return
            try:
                sent = self._sock.send(piece)
            except BlockingIOError as exc:
                raise ssl.SSLWantWriteError(*exc.args) from None
            with self._order:
                del self._unsent[:sent]

    def _answer(self) -> None:
        """Sends what the protocol itself says, unless somebody writes: then it goes along."""
        # Waiting here could be for ever, if the client does the same.
        if self._writing.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError):
                    self._flush()
            finally:
                self._writing.release()

    def _goodbye(self) -> None:
        with self._writing, contextlib.suppress(OSError):
            with self._order:
                self._unsent += self._session.goodbye()
            self._flush()

    def _refuse(self, flags: int) -> None:
        if flags:
            raise ValueError(f"flags = {flags}: TLS knows none")
