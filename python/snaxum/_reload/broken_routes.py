"""The routes of modules that did not load at the first start, as far as their text shows them.

Owns the reading of `@route` from a syntax tree: a request for such a path gets the error of the
module instead of 404. Never runs code of such a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ..routing import Route, RouteError, RouteTable
from .source_cache import SourceCache


class Placeholder:
    """The handler of a route whose module did not load; it is never called."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __call__(self) -> None:
        raise AssertionError("a placeholder is not in the table that serves")


class BrokenRoutes:
    """Finds the module that has a route for a request, among modules that did not load."""

    def __init__(self, modules: Mapping[str, str], sources: SourceCache) -> None:
        """Read the routes of `modules`: name to file."""
        self._tables: list[RouteTable] = []
        for name, path in modules.items():
            source = sources.cached(path)
            for pattern, methods, _ in routes_in(source.content) if source else ():
                try:
                    # One table a route: two routes may clash here.
                    self._tables.append(RouteTable([Route(pattern, methods, Placeholder(name))]))
                except RouteError:
                    continue  # this route may be the error that broke the module

    def module_for(self, method: str, path: str) -> str | None:
        """Return the module that has a route for a request."""
        for table in self._tables:
            found = table.match(method, path)
            if isinstance(found, tuple) and isinstance(found[0].handler, Placeholder):
                return found[0].handler.module
        return None


def routes_in(content: bytes) -> Iterator[tuple[str, list[str] | None, int]]:
    """Yield the declared routes of a text: pattern, methods and line."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in statement.decorator_list:
                if isinstance(decorator, ast.Call) and _name(decorator.func) == "route":
                    yield from _declared(decorator)


def _declared(call: ast.Call) -> Iterator[tuple[str, list[str] | None, int]]:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    path = call.args[0] if call.args else given.get("path")
    methods = call.args[1] if len(call.args) > 1 else given.get("methods")
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str):
        return  # computed when the module runs
    names = None
    if isinstance(methods, (ast.List, ast.Tuple, ast.Set)):
        items = [item.value for item in methods.elts if isinstance(item, ast.Constant)]
        names = [item for item in items if isinstance(item, str)]
    yield path.value, names or None, call.lineno


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
