"""`AsyncWorker`: what worker classes have in common that give each connection a greenlet."""

from __future__ import annotations

import contextlib

from rgunicorn.http import get_parser
from rgunicorn.workers import base, counting, exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any

# What an application returns that has answered on the socket itself.
ALREADY_HANDLED = object()


class AsyncWorker(base.Worker):
    """Serves connections, each with `handle`; who calls that is up to subclasses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worker_connections = self.cfg.worker_connections

    @classmethod
    def speaks_uwsgi(cls) -> bool:
        return True

    @classmethod
    def names_requests(cls) -> bool:
        return True

    @classmethod
    def logs_requests(cls) -> bool:
        return True

    def timeout_ctx(self) -> AbstractContextManager[Any]:
        """Ends its block without a word when it lasts longer than `keepalive` seconds."""
        raise NotImplementedError

    def is_already_handled(self, respiter: Any) -> bool:
        """Whether the application says by `respiter` that it has answered itself."""
        return respiter is ALREADY_HANDLED

    def head_ctx(self) -> AbstractContextManager[Any]:
        """The same limit where connections are not kept: on the one head."""
        return contextlib.nullcontext()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves one connection to its end.

        Args:
            listener: where it came in.
            client: its socket.
            addr: the peer's address: a tuple, or something empty for a unix socket.
        """
        req = None
        # Whether the client has nothing more to say, as far as we know.
        clean = True
        try:
            server = listener.getsockname()
            parser = get_parser(self.cfg, client, addr)
            keeps = True
            while keeps:
                req = None
                with self.timeout_ctx() if self.cfg.keepalive else self.head_ctx():
                    req = self.next_request(parser, client)
                if req is None:
                    # The client has ended its side, or said nothing in time.
                    break
                clean = False
                keeps = self.handle_request(server, req, client, addr) is not False
                clean = keeps
        except StopIteration:
            # Subclasses end a connection so.
            clean = False
        except exchange.Taken:
            clean = True
        except (Exception, SystemExit) as exc:
            clean = False
            exchange.report_failure(self, req, client, addr, exc)
        finally:
            exchange.part(client, clean)

    def next_request(self, parser: Any, client: Any) -> Any:
        """The next request of a connection; None when there is no other."""
        return next(parser, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        """Serves one request.

        Args:
            listener_name: what `getsockname` says of the listener.
            req: the request.
            sock: the client's socket.
            addr: the peer's address.

        Returns:
            Whether the connection can take another request.

        Raises:
            exchange.Taken: the application speaks with the client itself.
            exchange.Gone: the client has gone.
            Exception: what happened before anything was sent.
        """
        with counting.at_work(self):
            return exchange.run_request(
                self,
                req,
                sock,
                addr,
                listener_name,
                multithread=True,
                keepalive=bool(self.cfg.keepalive),
                is_handled=self.is_already_handled,
            )
