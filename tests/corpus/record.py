"""Fills `requests.json` and `responses.json` with what an installed Gunicorn makes of each case.

    python tests/corpus/record.py           # write
    python tests/corpus/record.py --check   # compare only, exit 1 on a difference

A case without `difference` expects what Gunicorn does. A case with `difference` (the reason) keeps
its hand-written `expect`; what Gunicorn does is kept beside it as `gunicorn`. Text is latin-1: one
character of a JSON string is one byte. A `raw` that is a list is its concatenation, where an
element `[text, n]` stands for n times that text. See README.md.
"""

from __future__ import annotations

import html
import io
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName, NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.workers.sync import SyncWorker

REQUESTS = Path(__file__).with_name("requests.json")
RESPONSES = Path(__file__).with_name("responses.json")


class _Log:
    """Swallows what a worker logs."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *args, **kwargs: None


def raw_bytes(case: dict[str, Any]) -> bytes:
    raw = case["raw"]
    if isinstance(raw, str):
        return raw.encode("latin-1")
    parts = [part if isinstance(part, str) else part[0] * part[1] for part in raw]
    return "".join(parts).encode("latin-1")


def config(case: dict[str, Any]) -> Config:
    cfg = Config()
    for name, value in case.get("settings", {}).items():
        cfg.set(name, value)
    return cfg


def refusal(cfg: Config, req: Any, peer: Any, exc: BaseException) -> dict[str, Any]:
    """The error page that Gunicorn's worker answers with, taken apart."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = SyncWorker.__new__(SyncWorker)
        worker.cfg, worker.log = cfg, _Log()
        worker.handle_error(req, ours, peer, exc)
        ours.shutdown(socket.SHUT_WR)
        page = theirs.makefile("rb").read().decode("latin-1")
    status = int(page.split(" ", 2)[1])
    message = re.search(r"</h1>\n    (.*)\n  </body>", page, re.DOTALL)
    assert message, page
    return {
        "error": type(exc).__name__,
        "status": status,
        "log": str(exc),
        "message": html.unescape(message[1]),
    }


def describe(cfg: Config, req: Any, peer: Any) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = peer if peer else ""
        _resp, environ = wsgi.create(req, ours, client, ("127.0.0.1", "80"), cfg)
    seen = {
        "method": req.method,
        "target": req.uri,
        "version": list(req.version),
        "scheme": req.scheme,
        "script_name": environ["SCRIPT_NAME"],
        "path_info": environ["PATH_INFO"],
        "query": req.query,
        "headers": [list(field) for field in req.headers],
        "keep_alive": not req.should_close(),
        "expect_continue": req._expected_100_continue,
    }
    info = req.proxy_protocol_info
    if info:
        seen["proxy"] = [
            info["proxy_protocol"],
            info["client_addr"],
            info["client_port"],
            info["proxy_addr"],
            info["proxy_port"],
        ]
    return seen


def ask_gunicorn(case: dict[str, Any]) -> dict[str, Any]:
    cfg = config(case)
    peer = case.get("peer", "127.0.0.1")
    peer = "" if peer == "unix" else (peer, 40000)
    os.environ.pop("SCRIPT_NAME", None)
    os.environ.update(case.get("env", {}))
    result: dict[str, Any] = {"requests": []}
    parser = RequestParser(cfg, iter([raw_bytes(case)]), peer)
    req = None
    try:
        for req in parser:
            seen = describe(cfg, req, peer)
            result["requests"].append(seen)
            body = io.BytesIO()
            while data := req.body.read(1000):
                body.write(data)
            seen["body"] = body.getvalue().decode("latin-1")
            if req.trailers:
                seen["trailers"] = [list(field) for field in req.trailers]
            req = None
    except NoMoreData:
        result["incomplete"] = True
    except Exception as exc:
        result.update(refusal(cfg, req, peer, exc))
    for seen in result["requests"]:
        # Long bodies say nothing that their length does not.
        if len(seen.get("body", "")) > 200:
            seen["body_length"] = len(seen.pop("body"))
    return result


class _Request:
    """What a response asks its request."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.method = case["method"]
        self.version = tuple(case["version"])
        self._closes = not case["keep_alive"]

    def should_close(self) -> bool:
        return self._closes


class _Wire:
    """A socket that keeps what it is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def answer_as_gunicorn(case: dict[str, Any]) -> dict[str, Any]:
    sock = _Wire()
    resp = wsgi.Response(_Request(case), sock, Config())
    try:
        resp.start_response(case["status"], [tuple(field) for field in case["headers"]])
        for piece in case["pieces"]:
            resp.write(piece.encode("latin-1"))
        resp.close()
    except (ValueError, InvalidResponseHeader, InvalidResponseHeaderName) as exc:
        return {"error": type(exc).__name__, "text": str(exc)}
    return {"wire": sock.sent.decode("latin-1"), "keep_alive": not resp.should_close()}


def refresh(
    corpus: Path, ask: Callable[[dict[str, Any]], dict[str, Any]], write: bool
) -> list[str]:
    cases = json.loads(corpus.read_text())
    changed = []
    for case in cases:
        key = "gunicorn" if "difference" in case else "expect"
        answer = ask(case)
        if case.get(key) != answer:
            changed.append(f"{corpus.stem} {case['name']}")
            case[key] = answer
        if "difference" in case:
            assert case["expect"] != case["gunicorn"], f"{case['name']}: no difference"
    if write:
        lines = ",\n".join(json.dumps(case) for case in cases)
        corpus.write_text(f"[\n{lines}\n]\n")
    return changed


def main() -> int:
    logging.disable(logging.CRITICAL)
    wsgi.util.http_date = lambda: "DATE"
    write = sys.argv[1:] != ["--check"]
    changed = refresh(REQUESTS, ask_gunicorn, write) + refresh(RESPONSES, answer_as_gunicorn, write)
    print("\n".join(changed) or "the corpus is what Gunicorn does")
    return 1 if changed and not write else 0


if __name__ == "__main__":
    sys.exit(main())
