"""The application that the command line names: `main:app`, for the prefix `/`.

Owns the way from its name to a mount, and the errors on that way. Never imports a module.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .._core.applications import Interface, interface_of
from .._core.objects import namespace
from .._core.route_errors import RouteError
from .._reload.model import Node
from ..mounts import Mount

MAX_NAMED = 3


@dataclass(eq=False, repr=False)
class Target:
    """`module:attribute`, whether the attribute is a factory, and the interface if it is named."""

    module: str
    attribute: str
    is_factory: bool = False
    interface: Interface | None = None

    @property
    def name(self) -> str:
        return f"{self.module}:{self.attribute}"

    def mount(self, module: ModuleType, node: Node) -> Mount:
        """Return the mount of the application in its module. Raises RouteError."""
        line = _line_of(node, self.attribute.partition(".")[0])
        app = self._find(module, node)
        place = f"{node.path}:{line}" if line else node.path
        if self.is_factory:
            app = self._make(app, place)
        try:
            kind = interface_of(app) if self.interface is None else self.interface
            if not callable(app):
                interface_of(app)  # raises
        except ValueError as problem:
            text, is_factory, _ = str(problem).partition("; call it:")
            way_out = "; pass `--factory`" if is_factory else ""
            if not callable(app):
                # The way out for `mount` does not help on the command line.
                text = text.partition(";")[0]
                others = list(_applications(module))[:MAX_NAMED]
                named = f", such as {_listed(others)}" if others else ""
                way_out = f"; name an ASGI or a WSGI application of the module{named}"
            raise RouteError(
                f"`{self.name}` at {place} is not an application: {text}{way_out}"
            ) from None
        return Mount(
            "", app, kind, module=self.module, name=self.attribute, file=node.path, line=line
        )

    def _find(self, module: ModuleType, node: Node) -> Any:
        found: Any = module
        for name in self.attribute.split("."):
            try:
                found = getattr(found, name)
            except AttributeError:
                near = difflib.get_close_matches(name, namespace(module), n=1)
                near += [each for each in _applications(module) if each not in near]
                hint = f"did you mean {_listed(near[:MAX_NAMED])}?" if near else "it has none"
                raise RouteError(
                    f"`{self.name}`: the module at {node.path} has no `{name}`; {hint}"
                ) from None
        return found

    def _make(self, factory: Any, place: str) -> Any:
        """Call the factory."""
        if not callable(factory):
            kind = type(factory).__name__
            raise RouteError(
                f"`{self.name}` at {place} is a {kind}, and not a factory; remove `--factory`"
            )
        if needed := _needed(factory):
            raise RouteError(
                f"the factory `{self.name}` at {place} needs {_listed(needed)}, and is called "
                "without arguments; give each a default, or name a function without parameters"
            )
        app = factory()
        if inspect.iscoroutine(app):
            app.close()  # else Python warns later that it was never awaited
            raise RouteError(
                f"the factory `{self.name}` at {place} is an `async def`; make it a `def`, and "
                "start in the lifespan what it waits for"
            )
        return app


def _needed(factory: Any) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError, NameError):
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        each.name for each in parameters if each.default is each.empty and each.kind not in optional
    ]


def _applications(module: ModuleType) -> Iterator[str]:
    """Name the objects of a module that are applications."""
    for name, value in namespace(module).items():
        is_object = not (inspect.isroutine(value) or inspect.isclass(value))
        if name.startswith("_") or not (is_object or inspect.iscoroutinefunction(value)):
            continue
        try:
            interface_of(value)
        except Exception:  # an object of the user's may raise on any question
            continue
        yield name


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _line_of(node: Node, name: str) -> int:
    """Return the line of the module that binds a name last; 0 if it is unknown."""
    if node.source is None:
        return 0
    try:
        statements = ast.parse(node.source.content).body
    except (SyntaxError, ValueError):
        return 0
    lines = [each.lineno for each in statements if name in _bound(each)]
    return max(lines, default=1)


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name):
                    yield inner.id
