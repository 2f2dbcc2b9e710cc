"""What a commit has to warn of: what the code does that a reload cannot do justice to.

Owns the words. Each is told when the code that does it comes, not again while it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .effects import patches
from .graph import Node


def warnings(old: Sequence[Node], fresh: Sequence[Node]) -> list[str]:
    """Give what there is to say of `fresh`, which take the place of `old`."""
    known = set(_of_patches(old))
    found = [text for text in _of_patches(fresh) if text not in known]
    return [*_of_threads(old), *found]


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
