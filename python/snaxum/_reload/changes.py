"""What a save means: from paths that were written to modules that are concerned.

Owns the comparison of what is on disk with what serves, and with what was last tried. Content
decides, never a time stamp. Never runs user code.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .._runtime import generations as state
from . import file_inputs, line_shift, loader
from .env_file import EnvFile, NewVariables
from .model import Node, Source
from .restart_triggers import Outside
from .source_cache import Sources

_log = logging.getLogger("snaxum")

# So many reloads of code that the server has written itself, in so many seconds, are a loop.
MAX_OWN = 5
OWN_WINDOW_S = 10.0


@dataclass
class Changes:
    """What differs from the serving generation."""

    sources: Sources
    # Modules whose own text is another.
    changed: list[Node] = field(default_factory=list)
    # Those of them in which only lines have moved, with the new text.
    shifted: list[tuple[Node, Source]] = field(default_factory=list)
    # Modules whose file is gone.
    deleted: list[Node] = field(default_factory=list)
    # Source files that no module is made from, with the name that a module of theirs would have.
    created: dict[str, str] = field(default_factory=dict)
    # Modules that read or listed something that is another now, with its path.
    fed: dict[str, str] = field(default_factory=dict)
    # What is fixed when the process starts, and is another now: path and reason.
    outside: list[tuple[str, str]] = field(default_factory=list)
    # What the file of environment variables holds, if that is not what is in force.
    variables: NewVariables | None = None
    # All files that differ, for the record.
    paths: list[str] = field(default_factory=list)

    @property
    def deleted_names(self) -> set[str]:
        return {node.name for node in self.deleted}

    def seeds(self, graph_nodes: Iterable[Node]) -> set[str]:
        """Name the modules that have to run again on account of themselves."""
        shifted = {node.name for node, _ in self.shifted}
        found = {node.name for node in self.changed} - shifted
        found.update(self.fed)
        gone = self.deleted_names
        created = set(self.created.values())
        if not gone and not created:
            return found
        for node in graph_nodes:
            # Imported but not loaded: by a function that no request has called, or by pool workers.
            if (node.imports | node.late) & (gone | created) or node.wanted & created:
                found.add(node.name)
            elif node.name in created:
                found.add(node.name)  # `a.py` became `a/__init__.py`
        return found - gone


class Watch:
    """Compares what is on disk with what serves and with what was last tried."""

    def __init__(self, root: str, project: str, env_file: EnvFile | None) -> None:
        self.root = root
        self.env_file = env_file
        self.outside = Outside(project)
        self._tried: dict[str, bytes | None] = {}
        # What differed from the serving generation at the last attempt.
        self._pending: set[str] = set()
        self._before: dict[str, bytes | None] = {}
        # When code last changed that this process itself had written.
        self._own: deque[float] = deque(maxlen=MAX_OWN)

    def compare(
        self, paths: Iterable[str] | None, serving: state.Generation
    ) -> tuple[Changes, bool]:
        """Look at `paths`, or at everything; tells too whether anything is new since the last look.

        The look itself counts as a try.
        """
        changes = Changes(Sources(serving.sources))
        self._before = dict(self._tried)
        # Several of one path: the same file under several names.
        nodes: dict[str, list[Node]] = {}
        for node in serving.graph.nodes.values():
            if node.source:
                nodes.setdefault(node.path, []).append(node)
        readers: dict[str, list[Node]] = {}
        listers: dict[str, list[Node]] = {}
        for node in serving.graph.nodes.values():
            for path in node.files:
                readers.setdefault(path, []).append(node)
            for path in node.listings:
                listers.setdefault(path, []).append(node)
        looked = self._candidates(paths, nodes, readers)
        is_new = False
        self._pending = set()
        for path in sorted(looked):
            differs, digest = False, None
            if path.endswith(".py") and file_inputs.is_own(path) and self._is_loop(path):
                continue
            if _is_source(path) and (path in nodes or loader.is_user_file(path)):
                differs, digest = self._compare_source(path, nodes.get(path, ()), changes)
            if path in readers:
                digest = file_inputs.file_digest(path)
                for node in readers[path]:
                    if file_inputs.is_own(path):
                        node.files[path] = digest  # the app's output is nobody's save
                    elif node.files[path] != digest:
                        changes.fed[node.name], differs = path, True
            is_new |= self._note(path, digest, differs, known=path in nodes or path in readers)
            if differs:
                self._pending.add(path)
                changes.paths.append(path)
        for path in {os.path.dirname(path) for path in looked} | looked:
            if path in listers:
                digest = file_inputs.listing_digest(path)
                differs = False
                for node in listers[path]:
                    if node.listings[path] != digest:
                        changes.fed[node.name], differs = path, True
                is_new |= self._note(os.path.join(path, ""), digest, differs, known=True)
                if differs:
                    self._pending.add(path)
        if self.env_file is not None and self.env_file.path in looked:
            is_new |= self._compare_variables(self.env_file, changes)
        changes.outside = self.outside.compare(looked)
        return changes, is_new or bool(changes.outside)

    def inputs(self, nodes: Iterable[Node]) -> list[str]:
        """List what counts besides the files of the python dir."""
        found = set(self.outside.paths())
        if self.env_file is not None:
            found.add(self.env_file.path)
        for node in nodes:
            found.update(node.files, node.listings)
            if node.source and not node.path.startswith(os.path.join(self.root, "")):
                found.update((node.path, os.path.dirname(node.path)))
        return sorted(found)

    def take_back(self) -> None:
        """Let the last look not count as a try."""
        self._tried = self._before

    def settle(self) -> None:
        """Take what was looked at last for what serves: nothing is pending."""
        self._pending.clear()

    def _is_loop(self, path: str) -> bool:
        """Tell whether code that writes code keeps itself running."""
        now = time.monotonic()
        if len(self._own) == MAX_OWN and now - self._own[0] < OWN_WINDOW_S:
            _log.error(
                "%s was written by this server %d times in %g s; it is left alone until somebody "
                "else saves it",
                path,
                MAX_OWN,
                OWN_WINDOW_S,
            )
            return True
        self._own.append(now)
        return False

    def _note(self, path: str, digest: bytes | None, differs: bool, *, known: bool) -> bool:
        """Note a try; tells whether it is another than the last one."""
        if path in self._tried:
            before = self._tried[path]
            self._tried[path] = digest
            return before != digest
        self._tried[path] = digest
        return differs and (known or digest is not None)

    def _compare_source(
        self, path: str, nodes: Sequence[Node], changes: Changes
    ) -> tuple[bool, bytes | None]:
        source = changes.sources.refresh(path)
        if not nodes:
            if source is None:
                return False, None
            name = module_name(loader.import_root(path) or self.root, path)
            if name is None:
                return False, source.digest
            changes.created[path] = name
            return True, source.digest
        differs = False
        for node in nodes:
            assert node.source is not None, "only nodes with a source have a path"
            if source is None:
                changes.deleted.append(node)
                differs = True
            elif source.digest != node.source.digest:
                changes.changed.append(node)
                differs = True
                if is_shifted(node.source, source):
                    changes.shifted.append((node, source))
        return differs, source.digest if source else None

    def _compare_variables(self, env_file: EnvFile, changes: Changes) -> bool:
        found = env_file.look()
        differs = env_file.differs(found)
        if differs:
            changes.variables = found
            self._pending.add(env_file.path)
            if env_file.path not in changes.paths:
                changes.paths.append(env_file.path)
        return self._note(env_file.path, found.digest, differs, known=True)

    def _candidates(
        self,
        paths: Iterable[str] | None,
        nodes: dict[str, list[Node]],
        readers: dict[str, list[Node]],
    ) -> set[str]:
        found = set(self._pending)
        if paths is None:
            found.update(nodes, readers, *map(walk, loader.roots()), self.outside.paths())
            return found | ({self.env_file.path} if self.env_file else set())
        for path in paths:
            path = os.path.abspath(path)
            found.add(path)
            if not _is_source(path):
                below = os.path.join(path, "")
                found.update(other for other in (*nodes, *readers) if other.startswith(below))
                if os.path.isdir(path):
                    found.update(walk(path))
        return found


def is_shifted(old: Source, new: Source) -> bool:
    """Tell whether only lines have moved from one text to the other."""
    try:
        return old.code is not None and line_shift.is_same_but_for_lines(old.code, new.compile())
    except (SyntaxError, RecursionError, MemoryError, OverflowError):
        return False


def module_name(root: str, path: str) -> str | None:
    """Give the dotted name of the module that a file would be; None if it can be none."""
    inside = os.path.relpath(path, root)
    parts = inside[: -len(".py")].split(os.sep)
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts)


def walk(directory: str) -> Iterator[str]:
    """Give the source files below a directory that can be the user's modules."""
    seen: set[str] = set()
    homes = [os.path.realpath(root) for root in loader.roots()]
    for base, directories, files in os.walk(directory, followlinks=True):
        real = os.path.realpath(base)
        is_environment = os.path.exists(os.path.join(base, "pyvenv.cfg"))
        if real in seen or is_environment or _leads_upwards(base, real, homes):
            directories.clear()
            continue
        seen.add(real)
        directories[:] = [
            name
            for name in directories
            if name.isidentifier() and name not in ("__pycache__", "node_modules")
        ]
        yield from (os.path.join(base, name) for name in files if _is_source(name))


def _leads_upwards(path: str, real: str, homes: Sequence[str]) -> bool:
    """Tell whether a link leads to a root or to what one lies in, which may be the whole disk."""
    if path in loader.roots() or not os.path.islink(path):
        return False
    return any(os.path.join(home, "").startswith(os.path.join(real, "")) for home in homes)


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not os.path.basename(path).startswith(".")
