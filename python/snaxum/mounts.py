"""Applications of other frameworks below a prefix: the `mount` declaration.

Owns `Mount`, the route of an application, and the checks of a declaration. Never runs one
(`_hosts`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import _registry
from ._core.applications import Interface, checked_interface, interface_of
from ._core.arguments import Argument
from ._core.patterns import ANY_REST, Pattern
from ._core.route_errors import RouteError
from .routing import Route

# The console and the API of dev mode.
RESERVED = "/__snaxum"
# Stands for all methods in the list of routes.
ANY_METHOD = "ANY"

Application = Callable[..., Any]


class Mount(Route):
    """The route of an application: every method, and every path at or below its prefix."""

    __slots__ = ("_file", "_line", "_module", "_name", "direct", "inner", "interface", "prefix")

    is_mount = True
    # A WebSocket's subprotocol is chosen by the application.
    subprotocols: tuple[str, ...] = ()

    def __init__(
        self,
        prefix: str,
        app: Application,
        interface: Interface,
        *,
        module: str = "",
        name: str = "",
        file: str = "",
        line: int = 0,
    ) -> None:
        self._module, self._name, self._file, self._line = module, name, file, line
        self.prefix: str = prefix
        # The routes of the application, once something has asked for them (`mounted_routes`).
        self.inner: list[Any] | None = None
        self.interface: Interface = interface
        # Returns what a request in a generation needs, if Rust finds its application.
        self.direct: Callable[[Any], tuple[Any, ...]] | None = None
        super().__init__(f"{prefix}/<path:path>", None, app)
        parts = (*self.parsed.parts[:-1], ANY_REST)
        self.parsed: Pattern = Pattern(parts, self.parsed.params, self.parsed.axum)
        self.is_async: bool = interface == "asgi"

    def _checked(self, methods: Iterable[str] | None) -> tuple[str, ...]:
        return (ANY_METHOD,)

    def _plan(self, *, is_last: bool = False) -> None:
        self.arguments: list[Argument] | None = []
        self.streams_body = True
        self.is_planned = True

    def conflict_with(self, first: Route, method: str) -> str:
        return (
            f"two applications at `{self.prefix or '/'}`: {first.place} and {self.place}; change "
            "the prefix of one of them"
        )

    @property
    def app(self) -> Application:
        return self.handler

    @property
    def body_prefix(self) -> str:
        return self.prefix or "/"

    @property
    def mode(self) -> str:
        return self.interface

    @property
    def endpoint(self) -> str:
        return ""  # `url_for` knows no route of the application

    @property
    def module(self) -> str:
        return self._module

    @property
    def qualname(self) -> str:
        return self._name or type(self.handler).__qualname__

    @property
    def place(self) -> str:
        return f"{self._file}:{self._line}"

    @property
    def file(self) -> str:
        return self._file

    @property
    def line(self) -> int:
        return self._line

    @property
    def end_line(self) -> int:
        return self._line

    @property
    def doc(self) -> str:
        return ""

    @property
    def warnings(self) -> list[str]:
        return []


def mount(prefix: str, app: Application, *, interface: Interface | None = None) -> None:
    """Let an ASGI 3 or a WSGI application respond to every path at and below `prefix`.

    Routes, and mounts with a longer prefix, come first. The application gets the prefix as
    `root_path`, or as `SCRIPT_NAME`. Its lifespan begins before the code of this module serves, and
    ends after its last request; a start-up that fails rejects the reload. `interface` is needed
    only for a callable whose parameters do not show it. Raises RouteError.
    """
    frame = sys._getframe(1)
    file, line = os.path.abspath(frame.f_code.co_filename), frame.f_lineno
    module = str(frame.f_globals.get("__name__", ""))

    def error(problem: str) -> RouteError:
        return RouteError(f"mount `{prefix}` at {file}:{line}: {problem}")

    if not isinstance(prefix, str):
        raise error(f"the prefix is a {type(prefix).__name__}; pass `mount(prefix, app)`")
    if not prefix.startswith("/"):
        raise error(f'the prefix must begin with a slash: `mount("/{prefix}", app)`')
    clean = prefix.rstrip("/")
    for name in clean.split("/")[1:]:
        if name in ("", ".", "..") or set(name) & set("<>?#%\\\0"):
            raise error(
                f"`{name}` cannot be a name in a prefix, which is plain text without `<...>`"
            )
    if clean == RESERVED or clean.startswith(RESERVED + "/"):
        raise error(f"`{RESERVED}` belongs to the console; choose another prefix")
    try:
        clean.encode()
        kind = interface_of(app) if interface is None else checked_interface(interface)
        if not callable(app):
            interface_of(app)  # raises
    except UnicodeEncodeError:
        raise error("the prefix is not UTF-8; rename it") from None
    except ValueError as problem:
        raise error(f"this is not an application: {problem}") from None
    name = next((key for key, value in frame.f_globals.items() if value is app), "")
    declared = Mount(clean, app, kind, module=module, name=name, file=file, line=line)
    if _registry.sink is not None:
        _registry.sink.add_mount(declared)
