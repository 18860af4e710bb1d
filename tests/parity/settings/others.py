"""Worker classes and protocols that need the packages of others, and nginx."""

from __future__ import annotations

import struct

from harness.wait import until
from harness.wire import Wire, get
from parity.settings.case import Case, Reason, Scene
from parity.settings.stage import Stage

ASGI = """
import asyncio, json, sys
started = False

async def app(scope, receive, send):
    global started
    if scope["type"] == "lifespan":
        await receive()
        started = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        message = await receive()
        await send({"type": "websocket.send", "text": str(len(message.get("bytes") or b""))})
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/left":
        while (await receive())["type"] != "http.disconnect":
            pass
        try:
            await asyncio.sleep(1.5)
            end = "finished"
        except asyncio.CancelledError:
            end = "cancelled"
            raise
        finally:
            with open("left", "w") as file:
                file.write(end)
        return
    loop = asyncio.get_running_loop()
    found = {
        "started": started,
        "root_path": scope.get("root_path"),
        "path": scope["path"],
        "loop": type(loop).__module__.split(".")[0],
    }
    body = json.dumps(found).encode()
    fields = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})
"""
PASTE = """
[app:main]
paste.app_factory = pasted:factory
name = first

[app:second]
paste.app_factory = pasted:factory
name = second
"""
PASTED = """
import json

def factory(global_conf, name):
    def app(environ, start_response):
        body = json.dumps([name, sorted(set(global_conf) - {"here", "__file__"})]).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    return app
"""


def packet(**variables: str) -> bytes:
    """A uwsgi request as nginx sends it."""
    body = b"".join(
        struct.pack("<H", len(part)) + part
        for pair in variables.items()
        for part in (pair[0].encode(), pair[1].encode())
    )
    return struct.pack("<BHB", 0, len(body), 0) + body


def uwsgi(source: str = ""):  # type: ignore[no-untyped-def]
    """What a uwsgi packet is answered with, if at all."""

    def observe(stage: Stage) -> object:
        raw = packet(
            REQUEST_METHOD="GET",
            PATH_INFO="/env",
            QUERY_STRING="q=1",
            SERVER_PROTOCOL="HTTP/1.1",
            HTTP_CONNECTION="close",
        )
        with Wire(stage.server.address, source=source) as wire:
            answer = wire.send(raw).half_close().read_to_close()
        served = b'"PATH_INFO": "/env"' in answer and b'"QUERY_STRING": "q=1"' in answer
        return "served" if served else "refused"

    return observe


def named(stage: Stage) -> object:
    return stage.lines("Using worker"), stage.ask(get("/hello", "Connection: close")).status


def scope(name: str):  # type: ignore[no-untyped-def]
    def observe(stage: Stage) -> object:
        answer = stage.call("/deep/path")
        return answer[name] if isinstance(answer, dict) else answer

    return observe


def left(stage: Stage) -> object:
    """What becomes of an application whose client leaves in the middle of its request."""
    with Wire(stage.server.address) as wire:
        wire.send(get("/left"))
        # Another request is answered when this one is under way.
        stage.call("/other")
    file = stage.directory / "left"
    until(lambda: file.exists() and file.read_text(), "an end", show=stage.server.log)
    return file.read_text()


def large_message(stage: Stage) -> object:
    """A WebSocket message of 100 bytes: the application's answer, or the code of a close."""
    fields = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    with Wire(stage.server.address) as wire:
        wire.send(get("/ws", *fields, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        assert wire.response().status == 101
        # FIN and binary; masked with zeros, so as it is.
        wire.send(b"\x82" + bytes([0x80 | 100]) + bytes(4) + b"x" * 100)
        answer = wire.read_until(b"100") if not stage.given else wire.read_to_close()
    if answer[0] & 0x0F == 8:
        return "closed", struct.unpack(">H", answer[2:4])[0]
    return "text", answer[2:]


OWN_WORKER = """
from gunicorn.workers.base import Worker
from gunicorn.workers.sync import SyncWorker

class Own(SyncWorker):
    def handle_request(self, listener, req, client, addr):
        self.log.info("its own: %s, a Worker: %s", req.path, isinstance(self, Worker))
        return super().handle_request(listener, req, client, addr)
"""


def worker(alias: str) -> Scene:
    return Scene(
        alias,
        (
            Case(
                "worker_class",
                f"`{alias}`: the worker's name, an answer",
                named,
                set={"worker_class": alias},
                short=alias,
            ),
        ),
        packages=True,
    )


SCENES = (
    worker("gevent"),
    worker("gevent_pywsgi"),
    worker("tornado"),
    Scene(
        "own worker class",
        (
            Case(
                "worker_class",
                "one's own, in a directory of `pythonpath`: its name, an answer, what it logs",
                lambda stage: (named(stage), stage.lines("its own")),
                set={"worker_class": "ownworker.Own"},
                short="own",
            ),
        ),
        base=lambda stage: {"pythonpath": f"{stage.directory}/lib"},
        files={"lib/ownworker.py": OWN_WORKER},
    ),
    Scene(
        "asgi",
        (
            Case(
                "worker_class",
                "`asgi`: the worker's name, an answer",
                named,
                short="asgi",
                set={"worker_class": "asgi"},
            ),
        ),
        files={"asgi_app.py": ASGI},
        app="asgi_app:app",
        packages=True,
    ),
    Scene(
        "asgi settings",
        (
            Case(
                "asgi_lifespan",
                "`off`: the application's start-up is not run",
                scope("started"),
                set={"asgi_lifespan": "off"},
            ),
            Case(
                "asgi_loop",
                "`asyncio`: the loop that runs, where uvloop is installed",
                scope("loop"),
                set={"asgi_loop": "asyncio"},
            ),
            Case(
                "asgi_disconnect_grace_period",
                "0: an application whose client leaves",
                left,
                set={"asgi_disconnect_grace_period": 0},
            ),
            Case(
                "websocket_max_message_size",
                "a larger message: answered, or the code of the close",
                large_message,
                set={"websocket_max_message_size": 50},
            ),
            Case(
                "root_path",
                "`root_path` and `path` of the scope",
                scope("root_path"),
                set={"root_path": "/under"},
            ),
        ),
        base={"worker_class": "asgi"},
        files={"asgi_app.py": ASGI},
        app="asgi_app:app",
        packages=True,
    ),
    Scene(
        "PasteDeploy",
        (
            Case(
                "paste",
                "the application of a section",
                lambda stage: stage.call("/"),
            ),
            Case(
                "raw_paste_global_conf",
                "names that its factory gets",
                lambda stage: stage.call("/"),
            ),
        ),
        # Gunicorn reads them on the command line only.
        args=("--paste", "app.ini"),
        set_args=("--paste", "app.ini#second", "--paste-global", "added=1"),
        files={"app.ini": PASTE, "pasted.py": PASTED},
        app=None,
        packages=True,
    ),
    Scene(
        "uwsgi",
        (
            Case(
                "protocol",
                "`uwsgi`: a packet is served",
                uwsgi(),
                set={"protocol": "uwsgi"},
            ),
        ),
    ),
    Scene(
        "uwsgi peers",
        (
            Case(
                "uwsgi_allow_ips",
                "a packet from another address",
                uwsgi("127.0.0.2"),
                set={"uwsgi_allow_ips": "127.0.0.1,127.0.0.2"},
            ),
        ),
        base={"protocol": "uwsgi"},
    ),
)

NEVER = "refused when it is used, with what to use instead"
REASONS = (
    Reason("http_parser", "`auto` and `python` are alike; for `fast` Gunicorn needs a package"),
    Reason("http_protocols", f"{NEVER}; `h2` needs a package on Gunicorn"),
    *(
        Reason(name, NEVER)
        for name in (
            "http2_cleartext",
            "http2_max_concurrent_streams",
            "http2_initial_window_size",
            "http2_max_frame_size",
            "http2_max_header_list_size",
            "dirty_apps",
            "dirty_workers",
            "dirty_timeout",
            "dirty_threads",
            "dirty_graceful_timeout",
            "on_dirty_starting",
            "dirty_post_fork",
            "dirty_worker_init",
            "dirty_worker_exit",
            "control_socket",
            "control_socket_mode",
        )
    ),
    Reason("control_socket_disable", "there is no control socket; row `control-socket`"),
)
