"""What a commit has to warn of: what the code does that a reload cannot do justice to.

Owns the words. Each is told when the code that does it comes, not again while it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from . import loader
from .changes import module_name
from .effects import patches
from .graph import Graph
from .model import Node


def warnings(old: Sequence[Node], fresh: Sequence[Node], graph: Graph, root: str) -> list[str]:
    """Give what there is to say of `fresh`, which take the place of `old`."""
    known = set(_of_patches(old))
    found = [text for text in _of_patches(fresh) if text not in known]
    return [*_of_threads(old), *found, *_of_names(old, fresh, graph, root)]


def _of_threads(old: Iterable[Node]) -> list[str]:
    return [
        f"`{node.name}` started {', '.join(node.threads)}, which goes on with the old code; "
        "an `on_unload` hook could end it"
        for node in old
        if node.threads and not any(hook.when in ("unload", "shutdown") for hook in node.hooks)
    ]


def _of_patches(nodes: Iterable[Node]) -> list[str]:
    return [
        f"`{node.name}` replaces `{name}` in the whole process: libraries and requests on older "
        "code meet it too, and a reload takes it away for a moment; call a function of your own "
        "instead"
        for node in nodes
        for name in patches.replaced(node)
    ]


def _of_names(old: Iterable[Node], fresh: Iterable[Node], graph: Graph, root: str) -> Iterator[str]:
    """Warn of files that have just come to be loaded under one more name."""
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
                f"`{loader.display_path(path)}` is loaded as "
                + " and as ".join(f"`{name}`" for name in several)
                + ", and each has state and classes of its own; "
                f"import it as `{several[0]}` everywhere"
            )
