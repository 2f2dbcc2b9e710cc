"""The routes in files that no loaded module imports: a 404 and `check` name them.

Owns the search for route decorators in the texts of such files, for people who expect that every
file loads. Never runs code of them, and never loads one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from .._core.route_errors import RouteError
from ..routing import Route, RouteTable
from .broken_routes import Placeholder, routes_in
from .changes import walk_unloaded
from .user_paths import display_path, import_root, module_name

# The most files that are read.
MAX_FILES = 2000


@dataclass(eq=False, repr=False)
class UnloadedRoute:
    """A route decorator in a file that was not loaded."""

    path: str
    line: int
    pattern: str
    methods: tuple[str, ...] | None

    def describe(self) -> str:
        """Name the route, its place and the way out."""
        name = module_name(import_root(self.path) or os.path.dirname(self.path), self.path)
        return (
            f"{display_path(self.path)}:{self.line} has the route `{self.pattern}`, but no loaded "
            f"module imports that file; add `import {name}` to a module that loads"
        )

    def matches(self, method: str, path: str) -> bool:
        try:
            table = RouteTable([Route(self.pattern, self.methods, Placeholder(self.path))])
        except RouteError:
            return False
        return isinstance(table.match(method, path), tuple)


def find(root: str, known: Iterable[str]) -> Iterator[UnloadedRoute]:
    """Yield the routes in the sources below `root` that are not `known`, in the order of paths."""
    for path in islice(sorted(walk_unloaded(root, set(known))), MAX_FILES):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            continue
        if b"snaxum" in content:  # parsing is slow
            for pattern, methods, line in routes_in(content):
                yield UnloadedRoute(path, line, pattern, tuple(methods) if methods else None)
