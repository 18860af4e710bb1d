"""`make audit`: what is known of the packages that we depend on.

Crates by cargo-deny (licences, sources, advisories), where it is installed; PyPI's by pip-audit:
what the extras of the wheel name, and what the tests install. A finding is an error. What can not
be looked up (no network, no cargo-deny) is said, and is an error only with AUDIT_STRICT=1: a
machine without network can still run the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_AUDIT = "pip-audit==2.10.1"
PATIENCE_S = 120
"""For each program: a database that does not answer is one that is not there."""

Outcome = bool | str
"""Whether all is well, or why nobody knows."""


def extras() -> str:
    """What the extras of the wheel bring along, a line each; the wheel alone brings nothing."""
    text = (ROOT / "pyproject.toml").read_text()
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    return "\n".join(re.findall(r'"([^"]+)"', section)) + "\n"


def reaches(host: str) -> bool:
    """Whether somebody answers there, directly or through the proxy of the environment."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        return True
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True


def run(*command: str) -> tuple[int | None, str]:
    """Status, None when it took too long, and all that was said."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            timeout=PATIENCE_S,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired:
        return None, f"{command[0]}: no answer within {PATIENCE_S} s"
    return done.returncode, done.stdout


def crates() -> Outcome:
    """cargo-deny's verdict."""
    if shutil.which("cargo-deny") is None:
        return "cargo-deny is missing: cargo install --locked cargo-deny"
    status, said = run("cargo", "deny", "--offline", "check", "bans", "licenses", "sources")
    print(said)
    if status:
        return False
    status, said = run("cargo", "deny", "check", "advisories")
    print(said)
    if status and "failed to fetch advisory database" not in said:
        return False
    return status == 0 or "the advisories can not be fetched"


def packages(venv: Path) -> Outcome:
    """pip-audit's verdict on the extras and on what the tests install.

    Args:
        venv: where pip-audit is, or is installed.
    """
    program = venv / "bin/pip-audit"
    if not reaches("pypi.org"):
        return "pypi.org is out of reach"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        status, said = run(str(venv / "bin/pip"), "-q", "install", PIP_AUDIT)
        if status != 0:
            return f"{PIP_AUDIT} can not be installed: {said.strip()}"
    well: Outcome = True
    with tempfile.NamedTemporaryFile("w", suffix="-extras.txt") as ours:
        ours.write(extras())
        ours.flush()
        pinned = [str(path) for path in sorted(ROOT.glob("tests/requirements*.txt"))]
        # With pins there is nothing to resolve; the extras have ranges.
        for options in ([*_lists(pinned), "--no-deps", "--disable-pip"], _lists([ours.name])):
            status, said = run(str(program), "--progress-spinner", "off", *options)
            print(said)
            if status == 0:
                continue
            if "known vulnerabilit" in said:
                return False
            well = said.strip().splitlines()[-1] if said.strip() else f"status {status}"
    return well


def _lists(paths: list[str]) -> list[str]:
    return [word for path in paths for word in ("-r", path)]


def main() -> int:
    strict = os.environ.get("AUDIT_STRICT") == "1"
    failed = False
    for what, outcome in (("crates", crates()), ("PyPI", packages(Path(sys.argv[1])))):
        if outcome is True:
            print(f"audit of {what}: nothing is known")
        elif outcome is False:
            print(f"audit of {what}: FAILED, see above", file=sys.stderr)
            failed = True
        else:
            print(f"audit of {what}: NOT DONE: {outcome}", file=sys.stderr)
            failed |= strict
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
