"""TLS of the harness: one self-made certificate for all servers, and clients that do not ask."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from loadbench.errors import BenchError
from loadbench.paths import BENCH

_DAYS = "3650"


@dataclass(frozen=True)
class Certificate:
    """PEM files: a certificate for 127.0.0.1, its P-256 key as PKCS #8 without a password."""

    chain: Path
    key: Path


@cache
def certificate() -> Certificate:
    """Made once by openssl(1) and kept with the environments. Raises BenchError without it."""
    directory = BENCH / "tls"
    found = Certificate(directory / "certificate.pem", directory / "key.pem")
    if found.chain.exists() and found.key.exists():
        return found
    directory.mkdir(parents=True, exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", _DAYS, "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(found.key), "-out", str(found.chain)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchError(
            "openssl is not installed: no certificate for the TLS scenarios"
        ) from error
    if done.returncode != 0:
        raise BenchError(f"openssl made no certificate: {done.stderr}")
    return found


@cache
def client_context() -> ssl.SSLContext:
    """As wrk's: the newest version both sides speak, the certificate is not checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
