"""The tree of routes: one level a segment of the path.

Owns the nodes, the way of most paths, and the search with backtracking. Knows of a route only which
method it is for, and the names of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .patterns import ANY_REST, PATH_REST, Part

# A route, and the values of its parameters in order.
Reached = tuple[Any, tuple[object, ...]]


class AnyMethod(dict[str, Any]):
    """The routes of a path that an application has too: it gets the methods that no route has."""

    __slots__ = ("application",)

    def __init__(self, routes: dict[str, Any], application: Any) -> None:
        super().__init__(routes)
        self.application = application
        # Its own name in the table, so that the node is not empty.
        self.setdefault(application.methods[0], application)

    def get(self, method: str, default: Any = None) -> Any:
        """Return the route of a method; `WS` is only for an application with WebSockets."""
        found = super().get(method)
        if found is not None or (method == "WS" and self.application.interface == "wsgi"):
            return found
        return self.application


class TreeNode:
    """The state after `depth` parts of a path; `methods` are the routes that end here.

    `clash` is set where an application and a route have the same paths: method and both.
    """

    __slots__ = ("branches", "clash", "depth", "dynamic", "methods", "static")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.static: dict[str, TreeNode] = {}
        self.branches: dict[tuple[object, ...], tuple[Part, TreeNode]] = {}
        self.dynamic: list[tuple[Callable[[str], Any], TreeNode, bool]] = []
        self.methods: dict[str, Any] = {}
        self.clash: tuple[str, Any, Any] | None = None

    def child(self, part: Part) -> TreeNode:
        """Return the node behind `part`; make it if it is missing."""
        child = TreeNode(self.depth + 1)
        if part.match is None:
            return self.static.setdefault("".join(map(str, part.pieces)), child)
        return self.branches.setdefault(part.pieces, (part, child))[1]

    def finish(self) -> None:
        """Order the branches, and add the implied HEAD and the methods of an application."""
        ordered = sorted(self.branches.values(), key=lambda branch: branch[0].order)
        self.dynamic = [(p.match, node, p.takes_rest) for p, node in ordered if p.match]
        if "GET" in self.methods:
            self.methods.setdefault("HEAD", self.methods["GET"])
        if ANY_REST.pieces in self.branches:
            self._add_application(self.branches[ANY_REST.pieces][1])

    def _add_application(self, rest: TreeNode) -> None:
        """Let the application below this path have the path itself, too."""
        (application,) = rest.methods.values()
        rest.methods = AnyMethod({}, application)
        self.methods = AnyMethod(self.methods, application)
        if PATH_REST in self.branches:
            for method, route in self.branches[PATH_REST][1].methods.items():
                self.clash = method, application, route

    def walk(self) -> Iterator[TreeNode]:
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.static.values())
            waiting.extend(child for _, child in node.branches.values())


def parent_of_last(start: TreeNode, parts: Sequence[Part]) -> tuple[str, TreeNode] | None:
    """Return the text of all parts but the last one, and their node.

    None if there is more than text before the last part, if that is text too, or if it is the only
    one: before the last slash, `/1` has as much text as `1`, which is not a path.
    """
    *before, last = parts
    if not before or last.match is None or any(part.match for part in before):
        return None
    text, node = "", start.static[""]
    for part in before:
        node = node.child(part)
        text += "/" + "".join(map(str, part.pieces))
    return text, node


def bound(route: Any, values: tuple[object, ...]) -> tuple[Any, dict[str, Any]]:
    """Return a route, and the values of its parameters by name."""
    names = route.names
    if len(names) == 1 == len(values):  # the path of an application itself has no value
        return route, {names[0]: values[0]}
    params: dict[str, Any] = {}  # in a loop: `dict(zip(...))` is slower
    for name, value in zip(names, values):
        params[name] = value
    return route, params


def follow(node: TreeNode, segments: list[str], method: str) -> tuple[Any, dict[str, Any]] | None:
    """Take the first branch that fits at each level; None if that way leads to no route."""
    values: tuple[object, ...] = ()
    for segment in segments:
        child = node.static.get(segment)
        if child is None:
            for match, branch, takes_rest in node.dynamic:
                matched = match("/".join(segments[node.depth :]) if takes_rest else segment)
                if matched is not None:
                    child = branch
                    values += matched
                    break
            else:
                return None
            if takes_rest:
                node = child
                break
        node = child
    route = node.methods.get(method)
    return None if route is None else bound(route, values)


def search(
    node: TreeNode,
    segments: list[str],
    method: str,
    seen: list[dict[str, Any]],
    index: int = 0,
    values: tuple[object, ...] = (),
) -> Reached | None:
    """Follow `segments` from `index` on; `seen` collects the methods of ends that did not fit."""
    count = len(segments)
    while index < count:
        segment = segments[index]
        child = node.static.get(segment)
        if node.dynamic:
            break
        if child is None:
            return None
        node = child
        index += 1
    else:
        route = node.methods.get(method)
        if route is not None:
            return route, values
        if node.methods:
            seen.append(node.methods)
        return None
    if child is not None:
        found = search(child, segments, method, seen, index + 1, values)
        if found is not None:
            return found
    for match, child, takes_rest in node.dynamic:
        matched = match("/".join(segments[index:]) if takes_rest else segment)
        if matched is not None:
            after = count if takes_rest else index + 1
            found = search(child, segments, method, seen, after, values + matched)
            if found is not None:
                return found
    return None
