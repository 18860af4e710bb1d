"""What the source says to its users: texts of log calls, of exceptions, of the engine's notices.

Each is given as docs/messages.md writes it: its first line, `…` for what is filled in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

GAP = "…"

_LOUD = ("warning", "error", "critical", "exception")
# Functions that print their argument; `say` is a log method that was chosen before.
_PRINTERS = ("say", "warn", "_exit_with", "_fail")
_FORMAT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*[\d.]*[sdrfgx]")


def logged(source: Path) -> Iterator[str]:
    """What a Python file logs as a warning or louder, in words of its own."""
    for node in ast.walk(ast.parse(source.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in _LOUD and node.args:
            yield from _said(node.args[0], formatted=True)
        elif node.func.attr == "log" and len(node.args) > 1:
            yield from _said(node.args[1], formatted=True)


def printed(source: Path) -> Iterator[str]:
    """What a Python file prints on stderr, itself or by a function that does."""
    for node in ast.walk(ast.parse(source.read_text())):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        to_stderr = any(it.arg == "file" and "stderr" in ast.dump(it.value) for it in node.keywords)
        if name in _PRINTERS or (name == "print" and to_stderr):
            yield from _said(node.args[0], formatted=name == "say")


def raised(source: Path) -> Iterator[str]:
    """The texts of the exceptions that a Python file raises."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                yield from _said(argument, formatted=False)


def noticed(source: Path) -> Iterator[str]:
    """What the `Display` of a Rust file's enum writes, as far as it is one literal."""
    body = source.read_text().partition("#[cfg(test)]")[0]
    body = body.partition("impl fmt::Display for Notice")[2].partition("\nimpl ")[0]
    for literal in re.findall(r'"((?:[^"\\]|\\.|\\\n)*)"', body):
        yield from _rust(literal)


def reported(source: Path) -> Iterator[str]:
    """What a Rust file logs through Python with a traceback, or prints on stderr."""
    body = source.read_text().partition("#[cfg(test)]")[0]
    for literal in re.findall(r'(?:\breport\([^";]*|eprintln!\(\s*)"((?:[^"\\]|\\.)*)"', body):
        yield from _rust(_FORMAT.sub(GAP, literal))


def thrown(source: Path) -> Iterator[str]:
    """What a Rust file raises as a Python exception, where the words stand beside it."""
    body = source.read_text().partition("#[cfg(test)]")[0]
    opening = r"new_err\(\s*(?:\(\s*libc::\w+,\s*)?(?:format!\(\s*)?"
    for literal in re.findall(opening + r'"((?:[^"\\]|\\.|\\\n)*)"', body):
        yield from _rust(literal)


def refused(source: Path) -> Iterator[str]:
    """The words of the variants of a Rust error (`#[error("...")]`)."""
    for literal in re.findall(r'#\[error\("((?:[^"\\]|\\.)*)"', source.read_text()):
        yield from _rust(literal)


def _rust(literal: str) -> Iterator[str]:
    text = re.sub(r"\\\n\s*", "", literal)
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)
    yield from _plain(re.sub(r"\{[^{}]*\}", GAP, text))


def _said(node: ast.expr, *, formatted: bool) -> Iterator[str]:
    text = _text(node)
    if text is not None:
        yield from _plain(_FORMAT.sub(GAP, text) if formatted else text)


def _plain(text: str) -> Iterator[str]:
    line = text.lstrip("\n").partition("\n")[0].strip()
    line = re.sub(rf"(?:{GAP}\s*)+", lambda m: GAP + (" " if m[0][-1] == " " else ""), line).strip()
    # Without a word there is nothing to explain.
    if re.search(r"[A-Za-z]{3}", line):
        yield line


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        pieces = [v.value if isinstance(v, ast.Constant) else GAP for v in node.values]
        return "".join(str(piece) for piece in pieces)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left) or GAP) + (_text(node.right) or GAP)
    return None
