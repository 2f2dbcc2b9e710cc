"""Finds out whether files changed again after an attempt had read them.

Owns the comparison of a few paths with the content that the attempt uses. A change ends the
attempt: no generation mixes the files of one save. Never waits, and never loads a module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from . import file_inputs
from .changes import Changes, walk
from .env_file import EnvFile
from .model import Node
from .user_paths import is_user_file

# Returns the paths that have file events since the attempt began; None if there may be more. With
# False, only events that may belong to the same save count.
Newer = Callable[[bool], "list[str] | None"]
# Raises Overtaken; with the nodes of the attempt, and the argument of `Newer`.
SaveCheck = Callable[[Iterable[Node], bool], None]


class Overtaken(Exception):
    """A file changed during the attempt, which would load old code."""


def check(
    newer: Newer,
    changes: Changes,
    nodes: Iterable[Node],
    env_file: EnvFile | None,
    is_long: bool,
) -> None:
    """Raise Overtaken if a file differs from what the attempt has read; `nodes` are its modules.

    Only files that changed soon count, as parts of the same save, unless the attempt `is_long`.
    """
    paths = newer(is_long)
    if paths is None:
        raise Overtaken
    if not paths:
        return
    nodes = list(nodes)
    for path in paths:
        if any(_differs(file, changes) for file in _sources_at(path, changes)):
            raise Overtaken
        if any(_is_read_again(path, node) for node in nodes):
            raise Overtaken
        if env_file is not None and path == env_file.path:
            found = env_file.read()
            tried = changes.digests.get(path)
            if env_file.differs(found) if tried is None else found.digest != tried:
                raise Overtaken


def _sources_at(path: str, changes: Changes) -> Iterable[str]:
    """List the sources at a path: the file, or all files below a directory, also gone ones."""
    if path.endswith(".py"):
        return [path]
    below = os.path.join(path, "")
    known = [file for file in changes.sources.by_path() if file.startswith(below)]
    return {*known, *(walk(path) if os.path.isdir(path) else ())}


def _differs(path: str, changes: Changes) -> bool:
    used = changes.sources.cached(path)
    if file_inputs.has_written(path) or (used is None and not is_user_file(path)):
        return False
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return used is not None
    return used is None or used.content != content


def _is_read_again(path: str, node: Node) -> bool:
    if path in node.files and not file_inputs.has_written(path):
        return node.files[path] != file_inputs.file_digest(path)
    return path in node.listed_dirs and node.listed_dirs[path] != file_inputs.listing_digest(path)
