"""The warnings of a commit: effects of the code that a reload can handle only in part, and routes
that are probably mistakes.

Owns the texts of the former. Each warning appears when its code is loaded first, and not again
while that code is still there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..routing import Route
from .graph import Graph
from .model import Node
from .user_paths import display_path, module_name


def warnings(old: Sequence[Node], fresh: Sequence[Node], graph: Graph, root: str) -> list[str]:
    """Return the warnings for the runs `fresh`, which replace `old`."""
    known = set(_of_patches(old))
    found = [text for text in _of_patches(fresh) if text not in known]
    return [
        *_of_threads(old),
        *found,
        *_of_names(old, fresh, graph, root),
        *_of_routes(old, fresh),
    ]


def _of_routes(old: Iterable[Node], fresh: Iterable[Node]) -> Iterator[str]:
    """Yield what is probably a mistake in the routes that are new, or have changed."""
    found = [(route, text) for route in _routes(fresh) for text in route.warnings]
    if found:
        known = {(route.pattern, text) for route in _routes(old) for text in route.warnings}
        for route, text in found:
            if (route.pattern, text) not in known:
                place = f"{display_path(route.file)}:{route.line}" if route.file else route.place
                yield f"route `{route.pattern}` at {place}: {text}"


def _routes(nodes: Iterable[Node]) -> Iterator[Route]:
    return (route for node in nodes for route in node.routes)


def _of_threads(old: Iterable[Node]) -> list[str]:
    return [
        f"`{node.name}` started threads that are still running old code: "
        f"{', '.join(node.threads)}; stop them in an `on_unload` hook"
        for node in old
        if node.threads and not any(hook.when in ("unload", "shutdown") for hook in node.hooks)
    ]


def _of_patches(nodes: Iterable[Node]) -> list[str]:
    nodes = [node for node in nodes if node.effects]
    if not nodes:
        return []
    from .effects import patches

    return [
        f"`{node.name}` replaces `{name}` for the whole process: libraries and requests on older "
        "code use it too, and each reload removes it for a moment; call a function of your own "
        "instead"
        for node in nodes
        for name in patches.replaced_names(node)
    ]


def _of_names(old: Iterable[Node], fresh: Iterable[Node], graph: Graph, root: str) -> Iterator[str]:
    """Yield a warning for each file that this commit has loaded under another name."""
    known = {node.name for node in old}
    paths = {node.path for node in fresh if node.source and node.name not in known}
    if not paths:
        return
    names: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        if node.path in paths:
            names.setdefault(node.path, []).append(node.name)
    for path, several in names.items():
        if len(several) > 1:
            own = module_name(root, path)
            several.sort(key=lambda name: (name != own, name))
            yield (
                f"`{display_path(path)}` is loaded as "
                + " and as ".join(f"`{name}`" for name in several)
                + ", each with its own state and classes; "
                f"import it as `{several[0]}` everywhere"
            )
