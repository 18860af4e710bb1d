"""Certificates at the start, on HUP, and connections on the way out."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from harness.certificates import Certificates
from harness.mode import Mode
from harness.server import Server, Spawn
from harness.wait import until
from harness.wire import Wire, get

pytestmark = pytest.mark.ours("reads certificates in the master")

HELLO = get("/hello")


@pytest.fixture
def live(tmp_path: Path, files: Certificates) -> dict[str, object]:
    """Settings with files that a test may change."""
    for end in ("pem", "key"):
        shutil.copy(files.directory / f"server.{end}", tmp_path / f"live.{end}")
    return {"certfile": str(tmp_path / "live.pem"), "keyfile": str(tmp_path / "live.key")}


def replace(live: dict[str, object], files: Certificates, name: str) -> None:
    shutil.copy(files.cert(name), str(live["certfile"]))
    shutil.copy(files.key(name), str(live["keyfile"]))


def serial(server: Server, files: Certificates) -> int:
    """Of the certificate that a new connection is shown."""
    with Wire(server.address, context=files.client_context()) as wire:
        wire.sock.handshake()
        return int(wire.sock.object.getpeercert()["serialNumber"], 16)


def reload(server: Server) -> None:
    """HUP, and the new workers are in place."""
    before = set(server.workers())
    server.send_signal(signal.SIGHUP)
    until(
        lambda: (now := set(server.workers())) and not now & before,
        "new workers",
        show=server.log,
    )


def test_a_new_certificate_on_hup(
    spawn: Spawn, mode: Mode, files: Certificates, live: dict[str, object], tmp_path: Path
) -> None:
    server = spawn("kitchen:app", mode, settings={**mode.settings, **live})
    first, gate = serial(server, files), tmp_path / "open"
    replace(live, files, "renewed")
    # Not before it is told.
    assert serial(server, files) == first
    with Wire(server.address) as old:
        old.send(get(f"/gate{gate}"))
        server.wait_log("in the gate")
        server.send_signal(signal.SIGHUP)
        until(lambda: serial(server, files) != first, "the new certificate", show=server.log)
        # What had begun ends as it began.
        gate.touch()
        assert old.response().body == b"through the gate"
    server.assert_clean_exit()


@pytest.mark.parametrize("broken", ["missing", "garbage", "mismatch", "ca_certs"])
def test_one_that_can_not_be_used_changes_nothing(
    spawn: Spawn, mode: Mode, files: Certificates, live: dict[str, object], broken: str
) -> None:
    settings = {**mode.settings, **live}
    if broken == "ca_certs":
        settings["ca_certs"] = str(Path(str(live["certfile"])).with_name("ca.pem"))
        shutil.copy(files.ca, str(settings["ca_certs"]))
    server = spawn("kitchen:app", mode, settings=settings)
    first, workers = serial(server, files), server.workers()
    if broken == "missing":
        os.remove(str(live["certfile"]))
    elif broken == "garbage":
        Path(str(live["certfile"])).write_text("no certificate")
    elif broken == "mismatch":
        shutil.copy(files.cert("renewed"), str(live["certfile"]))
    else:
        Path(str(settings["ca_certs"])).write_text("no certificate")
    server.send_signal(signal.SIGHUP)
    log = server.wait_log("Reload failed, the old configuration stays in force: ")
    name = "ca_certs" if broken == "ca_certs" else "certfile"
    assert f"stays in force: {name} = {str(settings[name])!r}" in log
    assert " can not be " in log
    assert "Traceback" not in log
    assert serial(server, files) == first
    assert server.workers() == workers
    # Mended, it is taken.
    replace(live, files, "renewed")
    if broken == "ca_certs":
        shutil.copy(files.ca, str(settings["ca_certs"]))
    reload(server)
    assert serial(server, files) != first
    server.assert_clean_exit()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"certfile": "no.pem"}, "certfile = 'no.pem' can not be read: No such file"),
        ({"certfile": "{cert}", "keyfile": "no.key"}, "keyfile = 'no.key' can not be read"),
        ({"certfile": "{cert}"}, "server.pem' can not be used: "),
        ({"keyfile": "{key}"}, "without certfile. Set certfile"),
        ({"certfile": "{cert}", "keyfile": "{other}"}, "KEY_VALUES_MISMATCH"),
        ({"certfile": "{cert}", "keyfile": "{key}", "cert_reqs": 3}, "cert_reqs = 3: use 0"),
        ({"certfile": "{cert}", "keyfile": "{key}", "ciphers": "X"}, "ciphers = 'X': No cipher"),
        ({"certfile": "{cert}", "keyfile": "{key}", "ca_certs": "/"}, "ca_certs = '/' can not"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_mistakes_end_the_start(
    spawn: Spawn, files: Certificates, settings: dict[str, object], words: str
) -> None:
    known = {
        "{cert}": files.cert("server"),
        "{key}": files.key("server"),
        "{other}": files.key("client"),
    }
    settings = {name: known.get(str(value), value) for name, value in settings.items()}
    server = spawn("kitchen:app", ready=False, settings=settings)
    assert server.wait_exit() == 1
    assert f"Error: {next(iter(settings))} = " in server.log() or words in server.log()
    assert words in server.log()
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("apart", [True, False], ids=["keyfile", "certfile"])
def test_a_key_with_a_passphrase(
    spawn: Spawn, files: Certificates, tmp_path: Path, apart: bool
) -> None:
    """OpenSSL would ask at the terminal, of a master that has to go on."""
    key, both = tmp_path / "locked.key", tmp_path / "both.pem"
    locked = load_pem_private_key(Path(files.key("server")).read_bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    key.write_bytes(locked)
    both.write_bytes(Path(files.cert("server")).read_bytes() + locked)
    settings = {"certfile": files.cert("server"), "keyfile": str(key)}
    server = spawn(
        "kitchen:app", ready=False, settings=settings if apart else {"certfile": str(both)}
    )
    assert server.wait_exit() == 1
    named = f"keyfile = {str(key)!r}" if apart else f"certfile = {str(both)!r}"
    assert f"Error: {named} is encrypted, and nobody is there to be asked" in server.log()
    assert "Enter PEM" not in server.log()


HOOK = """
import os, ssl

def ssl_context(config, default_ssl_context_factory):
    context = default_ssl_context_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    open("calls", "a").write(f"{config.certfile}\\n")
    return context

def on_starting(server):
    # What the configuration names is looked for after this.
    open("late.pem", "w").write(open(os.environ["CERT"]).read())

certfile = "late.pem"
keyfile = os.environ["KEY"]
"""


def test_the_hook_makes_the_context_once(spawn: Spawn, mode: Mode, files: Certificates) -> None:
    env = {"CERT": files.cert("server"), "KEY": files.key("server")}
    server = spawn("kitchen:app", mode, config=HOOK, env=env, settings={"workers": 2})
    for _ in range(6):
        with Wire(server.address) as wire:
            assert wire.send(HELLO).response().status == 200
            assert wire.sock.object.version() == "TLSv1.3"
    old = files.client_context(version=ssl.TLSVersion.TLSv1_2)
    with Wire(server.address, context=old) as wire, pytest.raises(ssl.SSLError, match="PROTOCOL"):
        wire.sock.handshake()
    calls = server.directory / "calls"
    assert calls.read_text() == "late.pem\n"
    reload(server)
    assert serial(server, files)
    assert calls.read_text() == "late.pem\nlate.pem\n"
    server.assert_clean_exit()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "ssl_context: the hook returned None. Return an ssl.SSLContext"),
        ("return default_ssl_context_factory().wrap_bio", "ssl_context: the hook returned <"),
        ("raise ValueError('of the hook')", "ValueError: of the hook"),
    ],
)
def test_mistakes_of_the_hook(spawn: Spawn, files: Certificates, body: str, words: str) -> None:
    hook = f"def ssl_context(config, default_ssl_context_factory):\n    {body}\n"
    server = spawn("kitchen:app", ready=False, settings=files.server, config=hook)
    assert server.wait_exit() == 1
    assert words in server.log()


def test_a_hook_may_have_something_else_to_offer(spawn: Spawn, files: Certificates) -> None:
    hook = f"""
def ssl_context(config, default_ssl_context_factory):
    import ssl
    try:
        return default_ssl_context_factory()
    except ssl.SSLError:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain({files.cert("renewed")!r}, {files.key("renewed")!r})
        return context
"""
    settings = {"certfile": files.cert("server"), "keyfile": files.key("client")}
    server = spawn("kitchen:app", settings=settings, config=hook)
    assert serial(server, files)
    server.assert_clean_exit()


def test_a_graceful_stop(spawn: Spawn, mode: Mode, tmp_path: Path) -> None:
    """A request in flight is answered, one that comes late too; the end has its goodbye."""
    server = spawn("kitchen:app", mode, settings={**mode.settings, **mode.keep_alive})
    gate = tmp_path / "open"
    with Wire(server.address) as busy, Wire(server.address) as idle:
        assert idle.send(HELLO).response().header("Connection") == "keep-alive"
        busy.send(get(f"/gate{gate}"))
        server.wait_log("in the gate")
        server.send_signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        gate.touch()
        response = busy.response()
        assert response.body == b"through the gate"
        assert busy.is_closed()
        assert not busy.sock.ragged
        assert idle.is_closed()
        assert not idle.sock.ragged
    assert server.wait_exit() == 0
