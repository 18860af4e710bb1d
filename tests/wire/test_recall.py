"""`start_response` is used again for later requests unless somebody keeps it, and what was found
right in a response head is not looked at again. Nobody may see a difference."""

from __future__ import annotations

import pytest

from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wire import Wire, get

OVER = "the request this callable belongs to is over"


@pytest.fixture(scope="module")
def recalling(mode_spawn: Spawn, mode: Mode) -> Server:
    # One thread in gthread too: what is remembered is each thread's own.
    return mode_spawn("recall:app", settings={**mode.keep_alive, "threads": 1})


def test_what_was_kept_stays_of_its_request(recalling: Server) -> None:
    with Wire(recalling.address) as wire:
        for _ in range(4):
            assert wire.send(get("/keep")).response().body == b"kept"
            found = wire.send(get("/use")).response()
            assert found.header("X-Wrong") is None
            assert found.body.decode().splitlines() == [OVER, OVER, "True", OVER, OVER]


@pytest.mark.parametrize("value", ["a", "b", r"\x20a\t", "", r"caf\xe9", "n" * 200, "replaced"])
def test_fields_are_those_of_this_response(recalling: Server, value: str) -> None:
    said = value.encode().decode("unicode_escape")
    with Wire(recalling.address) as wire:
        # Others in between, the same one twice.
        for other, wanted in ((None, said), ("a", "a"), (None, said), (None, said)):
            found = wire.send(get(f"/vary?{other or value}")).response()
            assert found.status == 200
            assert found.header("Content-Type") == "text/plain"
            assert found.header("Content-Length") is None
            assert found.header("X-Value") == found.header("X-Loud") == wanted.strip()
            assert found.header("X-Late") is None
            assert found.header("Server") != wanted
            assert found.body == wanted.encode("latin-1")


@pytest.mark.parametrize("bad", [r"a\nb", r"a\x00", r"a\r\nX-Injected: 1"])
def test_a_bad_value_is_found_between_good_ones(recalling: Server, bad: str) -> None:
    for _ in range(3):
        with Wire(recalling.address) as wire:
            assert wire.send(get("/vary?good")).response().header("X-Value") == "good"
        with Wire(recalling.address) as wire:
            found = wire.send(get(f"/vary?{bad}".replace(" ", "\\x20"))).response()
            assert found.status == 500
            assert found.header("X-Injected") is None


def test_lengths(recalling: Server) -> None:
    for _ in range(3):
        for query, wanted in (("3", 3), ("5", 5), ("3&3", 3), ("5&3", None), ("3&5", None)):
            with Wire(recalling.address) as wire:
                found = wire.send(get(f"/lengths?{query}")).response()
            if wanted is None:
                assert found.status == 500
            else:
                assert found.header("Content-Length") == str(wanted)
                assert found.body == b"x" * wanted
