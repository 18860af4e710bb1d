"""Commands for a checkout, in a form that takes a second: nothing is built, measured or downloaded.

A target, a file, a flag or a benchmark that is not there fails all the same, because the program
itself reads the command line: make with `-n`, pytest up to the tests that it collects, argparse up
to an option that is added at the end and must be the only one that it does not know.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from .server import TESTS, clean_environment, parity_gunicorn

ROOT = TESTS.parent

_ASSIGNED = re.compile(r"[A-Z_]+=")
_PYTHON = re.compile(r"(?:\.venv/bin/)?python3?")
_UNKNOWN = "--no-such-option"


class Wrong(AssertionError):
    """A command that can not do what its page says."""


def perform(line: str, directory: Path) -> None:
    """Runs the short form of a command of a page.

    Args:
        line: the command; a word with `…` stands for anything, and is left out.
        directory: for files that it makes.

    Raises:
        Wrong: it can not be right.
    """
    for part in line.split(" && "):
        words = [word for word in shlex.split(part, comments=True) if "…" not in word]
        names = []
        while words and _ASSIGNED.match(words[0]):
            names.append(words.pop(0).partition("=")[0])
        if words[:2] == ["nice", "-n"]:
            words = words[3:]
        if words:
            _one(words, names, directory)


def _one(words: list[str], names: list[str], directory: Path) -> None:
    program, rest = words[0], words[1:]
    if program == "make":
        _make(rest, names)
    elif program == "cargo":
        _cargo(rest)
    elif program == "tests/fuzz/run.sh":
        _run("bash", "-n", program)
        _known(rest[1:], _fuzz_targets())
    elif program.endswith("/pytest"):
        _run(
            sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", *rest
        )
    elif program.endswith(("/maturin", "/mkdocs")):
        _run(sys.executable, "-m", Path(program).name, *rest, "--help")
    elif program.endswith("/pip"):
        # What is here already is what the page names, in its versions.
        _run(sys.executable, "-m", "pip", rest[0], "--dry-run", "--no-index", *rest[1:])
    elif program in ("run.py", "duel.py"):
        _python([f"benches/load/{program}", *rest], directory)
    elif program == ".venv-gunicorn/bin/python":
        gunicorn = parity_gunicorn()
        _run(gunicorn.python if gunicorn else "true", *rest, "--check")
    elif _PYTHON.fullmatch(program):
        _python(rest, directory)
    else:
        raise Wrong(f"nobody knows a short form of {shlex.join(words)}")


def _python(words: list[str], directory: Path) -> None:
    if words[:2] == ["-m", "venv"]:
        _run(sys.executable, "-m", "venv", "--without-pip", str(directory / "venv"))
    elif words[0] == "benches/load/run.py":
        _argparse(*words)
    elif words[0] == "-m" and words[1].endswith(".page"):
        # What the page is, is what the command writes.
        page = directory / "page.md"
        page.write_text((ROOT / words[2]).read_text())
        _run(sys.executable, "-m", words[1], str(page))
        if page.read_text() != (ROOT / words[2]).read_text():
            raise Wrong(f"{words[2]} is not what {words[1]} writes")
    elif words[0] == "benches/load/duel.py":
        _run(sys.executable, words[0], code=2, says="usage: ")
    else:
        raise Wrong(f"nobody knows a short form of python {shlex.join(words)}")


def _make(words: list[str], names: list[str]) -> None:
    recipe = _run("make", "-n", *words)
    known = (ROOT / "Makefile").read_text() + (TESTS / "audit.py").read_text()
    for name in [*names, *(word.partition("=")[0] for word in words if "=" in word)]:
        if not re.search(rf"\b{name}\b", known):
            raise Wrong(f"make knows no {name}")
    for line in recipe.splitlines():
        _, module, own = line.partition("-m chaos.soak ")
        if module:
            _argparse("-m", "chaos.soak", *shlex.split(own))
        script, _, own = line.rpartition("benches/load/run.py ")
        if script:
            _argparse("benches/load/run.py", *shlex.split(own))


def _cargo(words: list[str]) -> None:
    words = [word for word in words if not word.startswith("+")]
    if words[0] == "install":
        return
    _run("cargo", "--list", says=rf"(?m)^ +{words[0]}\b")
    for option, kind in (("--bench", "bench"), ("--test", "test")):
        if option in words:
            _known([words[words.index(option) + 1]], _cargo_targets(kind))


@functools.cache
def _collect(*words: str) -> None:
    _run(sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", *words)


def _argparse(*words: str) -> None:
    argv = (sys.executable, *words, _UNKNOWN)
    _run(*argv, code=2, says=rf"unrecognized arguments: {_UNKNOWN}$", PYTHONPATH=str(TESTS))


@functools.cache
def _cargo_targets(kind: str) -> set[str]:
    told = _run("cargo", "metadata", "--no-deps", "--offline", "--format-version", "1")
    (package,) = json.loads(told)["packages"]
    return {target["name"] for target in package["targets"] if kind in target["kind"]}


def _fuzz_targets() -> set[str]:
    text = (TESTS / "fuzz/Cargo.toml").read_text()
    return set(re.findall(r'^name = "(\w+)"', text.partition("[[bin]]")[2], re.MULTILINE))


def _known(words: list[str], names: set[str]) -> None:
    if not set(words) <= names:
        raise Wrong(f"{words}: there are {sorted(names)}")


def _run(*argv: str, code: int = 0, says: str = "", **env: str) -> str:
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env=clean_environment({"PATH": os.environ["PATH"], **env}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    if done.returncode != code or not re.search(says, said.strip()):
        raise Wrong(f"{shlex.join(argv)}: {done.returncode}\n{said[-3000:]}")
    return done.stdout
