"""The routes within an application, as rows of the route table.

Owns `InnerRoute`. Only for display: the application itself chooses the route of a request.
"""

from __future__ import annotations

import inspect
import weakref
from types import CodeType
from typing import Any

from ..capture import is_private
from ..mounts import Mount
from .digests import sha256
from .foreign_routes import ForeignRoute, parameters_of, routes_of
from .handlers import code_of, innermost, lines, relative_to, source_file


class InnerRoute:
    """One route of an application, at the prefix of its mount."""

    __slots__ = ("_found", "_mount", "_row", "id", "path")

    def __init__(self, mount: Mount, found: ForeignRoute) -> None:
        self._mount = mount
        self._found = found
        # The first line of its code, and the row that was made for it.
        self._row: tuple[int, dict[str, Any]] | None = None
        self.path: str = mount.prefix + found.path
        key = f"{' '.join(found.methods)} {self.path} within {mount.pattern}"
        self.id: str = "r_" + sha256(key.encode(errors="surrogatepass")).hexdigest()[:8]

    @property
    def keys(self) -> tuple[Any, ...]:
        return self._found.keys

    @property
    def module(self) -> str:
        return str(getattr(innermost(self._found.handler), "__module__", None) or "")

    @property
    def file(self) -> str:
        return self._place()[0]

    @property
    def line(self) -> int:
        return self._place()[1]

    @property
    def end_line(self) -> int:
        return self._place()[2]

    def row(self, root: str) -> dict[str, Any]:
        """Describe it as `Route.to_dict` does; made again only if its lines have moved."""
        code = code_of(self._found.handler)
        line = code.co_firstlineno if code is not None else 0
        if self._row is None or self._row[0] != line:
            self._row = line, self._describe(root)
        return self._row[1]

    def _describe(self, root: str) -> dict[str, Any]:
        found, mount = self._found, self._mount
        handler = innermost(found.handler)
        name = str(getattr(handler, "__qualname__", None) or type(handler).__qualname__)
        axum, params = parameters_of(self.path)
        file, line, end_line = self._place()
        is_async = inspect.iscoroutinefunction(handler)
        return {
            "v": 1,
            "id": self.id,
            "methods": list(found.methods),
            "path": self.path,
            "pattern": axum,
            "params": params,
            "handler": f"{self.module}.{name}" if self.module else name,
            "module": self.module,
            "file": relative_to(file, root),
            "line": line,
            "end_line": end_line,
            "doc": inspect.cleandoc(getattr(handler, "__doc__", None) or ""),
            "pool": False,
            "async": is_async,
            "mode": mount.interface,
            "via": [],
            "no_capture": is_private(mount.handler),
            "warnings": [],
        }

    def _place(self) -> tuple[str, int, int]:
        """Return the file of the handler, its first and last line; or the place of the mount."""
        handler = self._found.handler
        code = None if inspect.isclass(handler) else code_of(handler)
        if code is not None:
            last = _last_lines.get(code)
            if last is None or last[0] != code.co_firstlineno:
                last = _last_lines[code] = code.co_firstlineno, max(lines(code))
            return source_file(handler), *last
        if inspect.isclass(handler):
            try:
                source, line = inspect.getsourcelines(handler)
                return inspect.getsourcefile(handler) or "", line, line + len(source) - 1
            except (OSError, TypeError):
                pass
        return self._mount.file, self._mount.line, self._mount.line


# By code, its first and its last line: an application that is made again has most of its handlers
# from modules that did not run again, and the search for the last line takes long.
_last_lines: weakref.WeakKeyDictionary[CodeType, tuple[int, int]] = weakref.WeakKeyDictionary()


def inner_routes(mount: Mount) -> list[InnerRoute]:
    """List the routes of a mount's application; made once, after its module has loaded.

    An application that has none yet may load them with its first request.
    """
    if not mount.inner:
        found = [InnerRoute(mount, each) for each in routes_of(mount.app)]
        mount.inner = list({route.id: route for route in found}.values())
    known: list[InnerRoute] = mount.inner
    return known


def route_for(mount: Mount, keys: tuple[Any, ...]) -> str | None:
    """Return the id of the route that one of the `keys` of a request is for."""
    for route in inner_routes(mount):
        for key in keys:
            if key is not None and any(key is each for each in route.keys):
                return route.id
    return None
