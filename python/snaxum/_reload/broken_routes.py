"""The routes and hooks of modules that did not load at the first start, as far as their text shows
them.

Owns the reading of decorators: a request for such a path gets the error of the module instead of
404, and none reaches a handler without the hook before it. Never runs code of such a module.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .._core.hooks import RequestHook, declare
from .._core.late_module import late_module
from .._core.late_regex import late
from .._core.route_errors import RouteError
from ..http_errors import HTTPError
from ..routing import Route, RouteTable
from .source_cache import SourceCache
from .user_paths import display_path

if TYPE_CHECKING:
    import ast
else:
    ast = late_module("ast")

_log = logging.getLogger("snaxum")

# The decorators that declare a route.
DECORATORS = ("route", "get", "post", "put", "patch", "delete")


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


def refusals(modules: Mapping[str, str], sources: SourceCache) -> list[RequestHook]:
    """Return a hook for each of `modules`, name to file, that has hooks which may refuse requests.

    It refuses all of them: what the module would have let through is unknown.
    """
    missing = {name: path for name, path in modules.items() if _has_hooks(path, sources)}
    for path in missing.values():
        shown = display_path(path)
        _log.warning("all requests get a 503: `%s` may have hooks, and is not loaded", shown)
    return [_refusal(name) for name in missing]


# The declarations of hooks that run before a handler.
_HOOKS = ("before_request", "middleware")
_WORD = late(rb"\b(?:before_request|middleware)\b")


def _has_hooks(path: str, sources: SourceCache) -> bool:
    """Report whether a file may declare such a hook, as far as its text shows."""
    source = sources.cached(path)
    try:
        if source is None:
            with open(path, "rb") as file:
                content = file.read()
        else:
            content = source.content
    except FileNotFoundError:
        return False
    except OSError:
        return True  # nothing shows that it has none
    if not _WORD.search(content):
        return False
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    # `app.middleware("http")` is of another framework: ours gets a function.
    of_others = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    return any(_names_hook(node) and id(node) not in of_others for node in ast.walk(tree))


def _names_hook(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=name):
            return name in _HOOKS
        case ast.alias(name=name, asname=other):
            # The name itself is found where it is used.
            return name in _HOOKS and other is not None
    return False


def _refusal(module: str) -> RequestHook:
    def did_not_load(request: object) -> None:
        detail = "a module with hooks before every handler did not load; the log has the reason"
        raise HTTPError(503, detail, {"retry-after": "1"})

    did_not_load.__module__, did_not_load.__qualname__ = module, "did_not_load"
    return declare("before_request", did_not_load, None)


def routes_in(content: bytes) -> Iterator[tuple[str, list[str] | None, int]]:
    """Yield the declared routes of a text: pattern, methods and line."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    prefixes = dict(_blueprints(tree.body))
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in statement.decorator_list:
                if isinstance(decorator, ast.Call):
                    yield from _declared(decorator, prefixes)


def _blueprints(statements: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Yield the blueprints of a module: name of the variable, and prefix."""
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        prefix = _argument(call, 1, "prefix")
        if _name(call.func) == "Blueprint" and isinstance(prefix, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, str(prefix.value).rstrip("/")


def _declared(
    call: ast.Call, prefixes: Mapping[str, str]
) -> Iterator[tuple[str, list[str] | None, int]]:
    kind = _name(call.func)
    if kind not in DECORATORS:
        return
    path, methods = _argument(call, 0, "path"), _argument(call, 1, "methods")
    if not isinstance(path, ast.Constant) or not isinstance(path.value, str):
        return  # computed when the module runs
    prefix = ""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        prefix = prefixes.get(call.func.value.id, "")
    if kind != "route":
        if (prefix + path.value).startswith("/"):  # not `mock.patch`
            yield prefix + path.value, [kind.upper()], call.lineno
        return
    names = None
    if isinstance(methods, (ast.List, ast.Tuple, ast.Set)):
        items = [item.value for item in methods.elts if isinstance(item, ast.Constant)]
        names = [item for item in items if isinstance(item, str)]
    yield prefix + path.value, names or None, call.lineno


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((given.value for given in call.keywords if given.arg == name), None)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
