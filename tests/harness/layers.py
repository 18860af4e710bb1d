"""The floors of docs/architecture.md and the imports of the sources, for test_layers.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICKED = re.compile(r"`([^`]+)`")
PACKAGE = "rgunicorn"


@dataclass(frozen=True)
class Floor:
    """One row of the table: `| floor | files | owns | may import |`."""

    name: str
    files: tuple[str, ...]
    may_import: frozenset[str]


def floors(page: str) -> list[Floor]:
    """Rows whose second cell names paths below src/ or python/."""
    found = []
    for line in page.splitlines():
        cells = line.split("|")[1:-1]
        if len(cells) == 4 and re.search(r"`(?:src|python)/", cells[1]):
            (name,) = TICKED.findall(cells[0])
            files = tuple(TICKED.findall(cells[1]))
            found.append(Floor(name, files, frozenset([name, *TICKED.findall(cells[3])])))
    return found


def floor_of(path: str, among: list[Floor]) -> Floor | None:
    """The floor with the longest path that `path` is, or lies below."""
    rows = [
        (len(file), i)
        for i, floor in enumerate(among)
        for file in floor.files
        if path == file or (file.endswith("/") and path.startswith(file))
    ]
    return among[max(rows)[1]] if rows else None


def rust_code(source: str) -> str:
    """`source` without comments, strings and characters: what is left is code."""
    token = re.compile(
        r"""//[^\n]*|/\*.*?\*/|b?r(\#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]{1,8}?|[^\\'\n])'""",
        re.DOTALL,
    )
    # Line numbers stay right.
    return token.sub(lambda match: "\n" * match[0].count("\n"), source)


def rust_imports(source: str, crates: set[str]) -> Iterator[tuple[str, int]]:
    """Floors (`crate::x`, `super::super::x`) and external crates named in `source`, with lines."""
    code = rust_code(source)
    for match in re.finditer(r"\b(?:crate|super::super)::(\w+|\{)", code):
        line = code.count("\n", 0, match.start()) + 1
        if match[1] != "{":
            yield match[1], line
        else:
            for name in group(code[match.end() :]):
                yield name, line
    for match in re.finditer(r"(?<!::)\b([a-z_]\w*)::", code):
        name = match[1].replace("_", "-")
        if name in crates or match[1] in crates:
            found = name if name in crates else match[1]
            yield found, code.count("\n", 0, match.start()) + 1


def group(code: str) -> list[str]:
    """First names of a `{a, b::c, d::{e, f}}` group, given what follows the opening brace."""
    depth, item, items = 0, "", []
    for char in code:
        if char in "}," and depth == 0:
            items.append(item.strip())
            item = ""
            if char == "}":
                break
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        item += char
    return [re.split(r"\W", item)[0] for item in items if item]


def python_imports(source: str, module: str, is_package: bool) -> Iterator[tuple[str, int]]:
    """Full names of what `module` imports from this package at run time, with lines."""
    package = module if is_package else module.rpartition(".")[0]
    for node in run_time_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module or "") if part)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            # `gunicorn.x` is the same module under the import alias.
            root, _, rest = name.partition(".")
            if root in (PACKAGE, "gunicorn"):
                yield f"{PACKAGE}.{rest}" if rest else PACKAGE, node.lineno


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (inner for part in node.orelse for inner in [part, *run_time_nodes(part)])
            continue
        yield node
        yield from run_time_nodes(node)


def file_of(module: str, package_root: Path) -> Path | None:
    """The file of a module, or of the module that holds the name."""
    parts = module.split(".")[1:]
    for length in range(len(parts), -1, -1):
        stem = package_root.joinpath(*parts[:length])
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if length and file.is_file() or (not length and file == stem / "__init__.py"):
                return file
    return None
