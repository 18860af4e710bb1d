"""The listeners: sockets that know their address, and how to make, pass on and close them."""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Sequence

from rgunicorn import binding, ownership, util

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rgunicorn.config import Config
    from rgunicorn.glogging import Logger


class BaseSocket:
    """A listening socket; what it does not have itself is looked up on `sock`.

    Args:
        address: what the user configured, or what an inherited socket is bound to.
        conf: settings `backlog`, `reuse_port`, `umask`, `user`, `group`.
        log: for errors while closing.
        fd: a bound socket to take over, under the same descriptor; None makes a new one.

    Raises:
        OSError: it can not be made, bound or listened on.
    """

    FAMILY: socket.AddressFamily

    def __init__(self, address: Any, conf: Config, log: Logger, fd: int | None = None) -> None:
        self.conf = conf
        self.log = log
        self.cfg_addr = address
        # An inherited descriptor keeps its number, so that it can be passed on a second time.
        sock = socket.socket(self.FAMILY, socket.SOCK_STREAM, fileno=fd)
        try:
            self.sock: Any = self.set_options(sock, bound=fd is not None)
        except BaseException:
            if fd is None:
                sock.close()
            raise

    def __str__(self) -> str:
        return f"<socket {self.sock.fileno()}>"

    def __getattr__(self, name: str) -> Any:
        if name == "sock":
            raise AttributeError(name)
        return getattr(self.sock, name)

    def set_options(self, sock: socket.socket, bound: bool = False) -> socket.socket:
        """Makes `sock` a listener: options, `bind` unless it is bound, `listen` unless it does."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.conf.reuse_port:
            binding.share_port(sock)
        if not bound:
            self.bind(sock)
        sock.setblocking(False)
        # A re-executed master gets it by number.
        sock.set_inheritable(True)
        # SELinux may forbid listen() on a socket that systemd already listens on.
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(self.conf.backlog)
        return sock

    def bind(self, sock: socket.socket) -> None:
        """Binds `sock` to the configured address."""
        sock.bind(self.cfg_addr)

    def close(self) -> None:
        """Closes the socket; a second time does nothing."""
        if self.sock is None:
            return
        try:
            self.sock.close()
        except OSError as exc:
            self.log.info("Error while closing socket %s", exc)
        self.sock = None

    def get_backlog(self) -> int:
        """How many connections wait to be accepted; -1 when that can not be known."""
        return -1


class TCPSocket(BaseSocket):
    """A listener on an IPv4 address."""

    FAMILY = socket.AF_INET

    def __str__(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{self._scheme}://{host}:{port}"

    @property
    def _scheme(self) -> str:
        return "https" if self.conf.is_ssl else "http"

    def set_options(self, sock: socket.socket, bound: bool = False) -> socket.socket:
        # Accepted connections inherit it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return super().set_options(sock, bound=bound)

    def get_backlog(self) -> int:
        if sys.platform != "linux" or self.sock is None:
            return -1
        # struct tcp_info of linux/tcp.h: 8 bytes, then words; on a listener `tcpi_unacked`,
        # the fifth word, is the length of the accept queue.
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
        return struct.unpack_from("I", info, 24)[0]


class TCP6Socket(TCPSocket):
    """A listener on an IPv6 address."""

    FAMILY = socket.AF_INET6

    def __str__(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{self._scheme}://[{host}]:{port}"


class UnixSocket(BaseSocket):
    """A listener on a path, or on an abstract name (which starts with a null character).

    Raises:
        ValueError: something that is no socket has that path.
    """

    FAMILY = socket.AF_UNIX

    # Device and inode of the file, when we have made it.
    _made: tuple[int, int] | None = None

    def __init__(self, address: Any, conf: Config, log: Logger, fd: int | None = None) -> None:
        if fd is None and not is_abstract(address):
            try:
                is_socket = stat.S_ISSOCK(os.stat(address).st_mode)
            except FileNotFoundError:
                pass  # nothing in the way
            else:
                if not is_socket:
                    raise ValueError(f"{address!r} is not a socket")
                os.remove(address)
        super().__init__(address, conf, log, fd=fd)

    def __str__(self) -> str:
        return f"unix:{self.cfg_addr}"

    def bind(self, sock: socket.socket) -> None:
        named = not is_abstract(self.cfg_addr)
        wanted = ownership.rights(self.conf) if named else None
        if wanted is not None:
            ownership.bind(sock, self.cfg_addr, wanted, self.conf)
        else:
            umask = os.umask(self.conf.umask)
            try:
                sock.bind(self.cfg_addr)
            finally:
                os.umask(umask)
            if named:
                util.chown(self.cfg_addr, self.conf.uid, self.conf.gid)
        if named:
            there = os.lstat(self.cfg_addr)
            self._made = there.st_dev, there.st_ino

    def follow(self, conf: Config) -> None:
        """Gives the file the owner and the mode of a new configuration, if one of the two speaks
        of them. What somebody else has made, or has put in its place, is left alone.

        Raises:
            ConfigError: we may not.
        """
        before, self.conf = self.conf, conf
        if self._made is None or not (ownership.rights(before) or ownership.rights(conf)):
            return
        try:
            there = os.lstat(self.cfg_addr)
        except FileNotFoundError:
            return
        if (there.st_dev, there.st_ino) == self._made:
            ownership.change(self.cfg_addr, ownership.by_default(conf), conf)


def is_abstract(address: str | bytes) -> bool:
    """True for a name in Linux's abstract namespace, which is no file."""
    return address[:1] in ("\0", b"\0")


def create_sockets(
    conf: Config,
    log: Logger,
    fds: Iterable[int] | None = None,
    addresses: Sequence[Any] | None = None,
) -> list[BaseSocket]:
    """Listeners on everything that is configured.

    Descriptors take precedence: with any given, addresses that would have to be bound are left
    alone, because whoever passed the descriptors bound them.

    Args:
        fds: inherited descriptors, beside those configured as `fd://N`.
        addresses: instead of `conf.address`.

    Raises:
        SystemExit: with 1, after an address could not be bound for five tries.
        OSError: a descriptor is no open socket.
        ValueError: a path is in use for something else.
    """
    configured = conf.address if addresses is None else addresses
    # The same descriptor may be configured and announced by systemd.
    inherited = dict.fromkeys(
        [*(bind for bind in configured if isinstance(bind, int)), *(fds or ())]
    )
    if inherited:
        return [_adopt(fd, conf, log) for fd in inherited]
    listeners: list[BaseSocket] = []
    try:
        for address in configured:
            listeners.append(binding.patiently(address, conf, log, _kind_of(address)))
    except BaseException:
        close_sockets(listeners)
        raise
    return listeners


def follow(listeners: Iterable[Any], conf: Config) -> None:
    """Gives the files of unix sockets that stay the owner and the mode of a new configuration.

    Raises:
        ConfigError: we may not.
    """
    for listener in listeners:
        if isinstance(listener, UnixSocket):
            listener.follow(conf)


def close_sockets(listeners: Iterable[BaseSocket], unlink: bool = True) -> None:
    """Closes the listeners.

    Args:
        unlink: also remove the files of unix sockets.
    """
    for listener in listeners:
        name = listener.getsockname()
        listener.close()
        if unlink and isinstance(name, str) and name and not is_abstract(name):
            util.unlink(name)


def ssl_context(conf: Config) -> Any:
    """A new SSLContext, as the `ssl_context` hook makes it of the TLS settings.

    Raises:
        ConfigError: a file or a value can not be used.
    """
    from rgunicorn import tls

    return tls.make_context(conf)


def ssl_wrap_socket(sock: socket.socket, conf: Config) -> Any:
    """An `ssl.SSLSocket` over the accepted connection `sock`; the context is made once.

    Raises:
        ConfigError: as `ssl_context`.
        OSError: the connection is broken, or (ssl.SSLError) the handshake failed.
    """
    from rgunicorn import tls

    return tls.server_context(conf).wrap_socket(
        sock,
        server_side=True,
        do_handshake_on_connect=conf.do_handshake_on_connect,
        suppress_ragged_eofs=conf.suppress_ragged_eofs,
    )


def _kind_of(address: Any) -> type[BaseSocket]:
    if isinstance(address, (str, bytes)):
        return UnixSocket
    if isinstance(address, tuple):
        return TCP6Socket if util.is_ipv6(address[0]) else TCPSocket
    raise TypeError(f"Unable to create socket from: {address!r}")


def _adopt(fd: int, conf: Config, log: Logger) -> BaseSocket:
    """The listener around a descriptor that somebody else opened.

    Raises:
        RuntimeError: it is not open, or no socket.
        TypeError: it is a socket of another family.
    """
    try:
        with socket.socket(fileno=os.dup(fd)) as probe:
            family, name = probe.family, probe.getsockname()
    except OSError as exc:
        raise RuntimeError(
            f"file descriptor {fd} can not be listened on: {exc.strerror}. Whoever starts the "
            "server (systemd, circus, a script) must open a socket there for it to inherit."
        ) from exc
    for kind in (TCPSocket, TCP6Socket, UnixSocket):
        if family == kind.FAMILY:
            return kind(name, conf, log, fd=fd)
    raise TypeError(f"Unable to create socket from: {name!r}")
