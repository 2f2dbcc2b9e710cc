"""Finds the code that still refers to a name which a reload has removed from a module.

Owns the search in the syntax trees of the importers, and the warning. Such code loads, and fails
only when it runs. Never runs code of the user.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType

from .._core.objects import is_a, namespace
from .graph import Graph
from .model import Node
from .user_paths import display_path

# The most places that one warning names.
MAX_PLACES = 4


def warnings(
    before: Mapping[str, ModuleType], after: Mapping[str, ModuleType], graph: Graph
) -> list[str]:
    """Return a warning for each removed name of a module that loaded code still refers to."""
    removed = {
        name: names
        for name, module in after.items()
        if (old := before.get(name)) is not None
        and old is not module
        and (names := _removed(old, module))
    }
    if not removed:
        return []
    places: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        known = {*node.imports, *node.deferred_imports} & removed.keys()
        if known and node.source is not None:
            for name, line, function in _references(node, {n: removed[n] for n in known}):
                inside = f" in `{function}`" if function else ""
                places.setdefault(name, []).append(f"{display_path(node.path)}:{line}{inside}")
    return [
        f"`{name}` was removed, but is still used: {', '.join(found[:MAX_PLACES])}"
        + (f" and {len(found) - MAX_PLACES} more" if len(found) > MAX_PLACES else "")
        + "; change that code, or put the name back"
        for name, found in places.items()
    ]


def _removed(old: ModuleType, new: ModuleType) -> set[str]:
    names = namespace(new)
    if "__getattr__" in names:
        return set()  # its attributes are known only to its code
    return {
        name
        for name, value in namespace(old).items()
        if name not in names and not name.startswith("__") and not is_a(value, ModuleType)
    }


def _references(node: Node, removed: Mapping[str, set[str]]) -> Iterator[tuple[str, int, str]]:
    """Yield the removed names that the text of a module uses, with line and function."""
    assert node.source is not None, "the caller has checked it"
    is_package = node.path.endswith("__init__.py")
    package = node.name if is_package else node.name.rpartition(".")[0]
    search = _Search(package, removed)
    try:
        tree = ast.parse(node.source.content)
        for statement in ast.walk(tree):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                search.add_import(statement)
        search.visit(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass  # the tree is too deep: the places found before count
    yield from search.found


class _Search(ast.NodeVisitor):
    """Collects the imports of a module first, and then the attributes of what they import."""

    def __init__(self, package: str, removed: Mapping[str, set[str]]) -> None:
        self.package = package
        self.removed = removed
        # The names that stand for a module, as the text writes them.
        self.modules: dict[str, str] = {}
        self.function: list[str] = []
        self.found: list[tuple[str, int, str]] = []

    def add_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.modules[alias.asname or alias.name] = alias.name
            return
        base = self._base(statement)
        for alias in statement.names:
            full = f"{base}.{alias.name}" if base else alias.name
            self.modules[alias.asname or alias.name] = full

    def _base(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = self.package.split(".")
        above = parts[: len(parts) - statement.level + 1]
        return ".".join([*above, statement.module] if statement.module else above)

    def visit_ImportFrom(self, statement: ast.ImportFrom) -> None:
        base = self._base(statement)
        for alias in statement.names:
            self._use(base, alias.name, statement.lineno)

    def visit_Attribute(self, attribute: ast.Attribute) -> None:
        target = self.modules.get(_dotted(attribute.value))
        if target is not None and isinstance(attribute.ctx, ast.Load):
            self._use(target, attribute.attr, attribute.lineno)
        self.generic_visit(attribute)

    def visit_FunctionDef(self, function: ast.FunctionDef) -> None:
        self._enter(function)

    def visit_AsyncFunctionDef(self, function: ast.AsyncFunctionDef) -> None:
        self._enter(function)

    def _enter(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        given = function.args
        names = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        outer = self.modules
        hidden = {argument.arg for argument in names if argument is not None}
        self.modules = {name: module for name, module in outer.items() if name not in hidden}
        self.function.append(function.name)
        self.generic_visit(function)
        self.function.pop()
        self.modules = outer

    def _use(self, module: str, name: str, line: int) -> None:
        if name in self.removed.get(module, ()):
            self.found.append((f"{module}.{name}", line, ".".join(self.function)))


def _dotted(expression: ast.expr) -> str:
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        inner = _dotted(expression.value)
        return f"{inner}.{expression.attr}" if inner else ""
    return ""
