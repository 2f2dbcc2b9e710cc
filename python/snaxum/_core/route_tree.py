"""The tree of routes: one level a segment of the path.

Owns the nodes, and the search with backtracking. Knows of a route only which method it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .patterns import Part

# A route, and the values of its parameters in order.
Reached = tuple[Any, tuple[object, ...]]


class TreeNode:
    """The state after `depth` parts of a path; `methods` are the routes that end here."""

    __slots__ = ("branches", "depth", "dynamic", "methods", "static")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.static: dict[str, TreeNode] = {}
        self.branches: dict[tuple[object, ...], tuple[Part, TreeNode]] = {}
        self.dynamic: list[tuple[Callable[[str], Any], TreeNode, bool]] = []
        self.methods: dict[str, Any] = {}

    def child(self, part: Part) -> TreeNode:
        """Return the node behind `part`; make it if it is missing."""
        child = TreeNode(self.depth + 1)
        if part.match is None:
            return self.static.setdefault("".join(map(str, part.pieces)), child)
        return self.branches.setdefault(part.pieces, (part, child))[1]

    def finish(self) -> None:
        """Order the branches and add the implied HEAD."""
        ordered = sorted(self.branches.values(), key=lambda branch: branch[0].order)
        self.dynamic = [(p.match, node, p.takes_rest) for p, node in ordered if p.match]
        if "GET" in self.methods:
            self.methods.setdefault("HEAD", self.methods["GET"])

    def walk(self) -> Iterator[TreeNode]:
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.static.values())
            waiting.extend(child for _, child in node.branches.values())


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
