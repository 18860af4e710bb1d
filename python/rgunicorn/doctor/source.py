"""The text of a config file: which names it binds, where, and which of them it reads."""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Source:
    """A config file as Python's parser sees it.

    Args:
        path: where it lies, as messages show it.
        text: its content; a text that is no Python binds and reads nothing.
    """

    def __init__(self, path: str, text: str = "") -> None:
        self.path = path
        self.lines = text.splitlines()
        try:
            tree: ast.Module | None = ast.parse(text)
        except (SyntaxError, ValueError):
            tree = None
        #: Line of the last assignment or definition of each name at the top of the file.
        self.bound: dict[str, int] = {}
        #: Names that an import binds.
        self.imported: set[str] = set()
        #: Names that some expression reads, anywhere in the file.
        self.read: set[str] = set()
        if tree is not None:
            self._walk(tree)

    def line(self, number: int) -> str:
        """A line without its indentation; empty when there is none."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def _walk(self, tree: ast.Module) -> None:
        for statement in _top(tree.body):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self.imported |= {
                    (alias.asname or alias.name).partition(".")[0] for alias in statement.names
                }
            else:
                self.bound.update((name, statement.lineno) for name in _binds(statement))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
                self.read.add(node.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                self.read.add(node.target.id)
            elif isinstance(node, ast.Global):
                # A function of the file keeps something there.
                self.read.update(node.names)


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the file is executed, those inside of `if`, `try`, `with`, `for`."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for part in ("body", "orelse", "finalbody"):
            yield from _top(getattr(statement, part, []))
        for handler in getattr(statement, "handlers", []):
            yield from _top(handler.body)


def _binds(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = [statement.target]
    for target in targets:
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
