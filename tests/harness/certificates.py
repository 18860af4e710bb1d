"""Certificates for tests: an authority, servers and clients, made once per run."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files below `directory`."""

    directory: Path

    @property
    def ca(self) -> str:
        """The authority that all trust."""
        return str(self.directory / "ca.pem")

    @property
    def other_ca(self) -> str:
        """One that nobody trusts."""
        return str(self.directory / "other-ca.pem")

    def cert(self, name: str) -> str:
        """The chain of `server`, `renewed` (another server), `client` or `stranger`."""
        return str(self.directory / f"{name}.pem")

    def key(self, name: str) -> str:
        """Its private key."""
        return str(self.directory / f"{name}.key")

    @property
    def server(self) -> dict[str, object]:
        """The settings that switch TLS on."""
        return {"certfile": self.cert("server"), "keyfile": self.key("server")}

    def client_context(
        self, name: str | None = None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        """What a client needs, who shows the certificate `name` and speaks `version` only."""
        context = ssl.create_default_context(cafile=self.ca)
        if name is not None:
            context.load_cert_chain(self.cert(name), self.key(name))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


@functools.cache
def certificates() -> Certificates:
    """The same files for all tests of this run; gone with it."""
    directory = Path(tempfile.mkdtemp(prefix="rgunicorn-certificates-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    other.cert_pem.write_to_path(str(directory / "other-ca.pem"))
    for name, issuer, common_name in (
        ("server", authority, "the server"),
        ("renewed", authority, "the server, renewed"),
        ("client", authority, 'a "client", ünknown'),
        ("stranger", other, "a stranger"),
    ):
        made = issuer.issue_cert("127.0.0.1", "localhost", common_name=common_name)
        made.private_key_pem.write_to_path(str(directory / f"{name}.key"))
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        (directory / f"{name}.pem").write_bytes(chain)
    return Certificates(directory)
