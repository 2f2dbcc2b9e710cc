"""Finds out what a save changes: from written paths to the modules that are affected.

Owns the comparison of the files with the serving code and with the last attempt. Compares content,
never time stamps. Never runs code of the user.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._core.late_log import late_log
from .._core.late_module import late_module
from .._core.records import field, record
from .._runtime.generations import Generation
from . import file_inputs
from .model import Node, Source
from .restart_triggers import RestartTriggers
from .source_cache import SourceCache
from .user_paths import import_root, is_user_file, module_name, roots

if TYPE_CHECKING:
    from . import line_shift
    from .env_file import EnvFile, NewVariables
else:
    line_shift = late_module("snaxum._reload.line_shift")

_log = late_log()

# A reload loop: this many reloads of code that the server itself has written, in this time.
MAX_OWN = 5
OWN_WINDOW_S = 10.0


@record(eq=False, repr=False)
class Changes:
    """The differences between the files and the serving generation."""

    sources: SourceCache
    # Modules with another text; in the shifted ones, only lines have moved.
    changed: list[Node] = field(default_factory=list)
    shifted: list[tuple[Node, Source]] = field(default_factory=list)
    # Modules whose file is gone.
    deleted: list[Node] = field(default_factory=list)
    # Source files that belong to no loaded module, with the name of the module they would be.
    created: dict[str, str] = field(default_factory=dict)
    # Modules of which a read file or a listed directory has changed, with its path.
    inputs_changed: dict[str, str] = field(default_factory=dict)
    # Changes that need a new process: path and reason.
    restart_triggers: list[tuple[str, str]] = field(default_factory=list)
    # The content of the file of environment variables, if it differs from the active variables.
    variables: NewVariables | None = None
    # All files that differ, for the report.
    paths: list[str] = field(default_factory=list)
    # The digest of each compared path, and whether one differs from that of the last attempt.
    digests: dict[str, bytes | None] = field(default_factory=dict)
    is_new: bool = False

    @property
    def deleted_names(self) -> set[str]:
        return {node.name for node in self.deleted}

    def seeds(self, nodes: Iterable[Node]) -> set[str]:
        """Return the modules that must run again because of their own text, inputs or imports."""
        shifted = {node.name for node, _ in self.shifted}
        found = {node.name for node in self.changed} - shifted
        found.update(self.inputs_changed)
        gone = self.deleted_names
        created = set(self.created.values())
        if not gone and not created:
            return found
        for node in nodes:
            # Also imports of modules that are not loaded: a function may not have run yet, or it
            # runs in pool workers only.
            imports = node.imports | node.deferred_imports
            if imports & (gone | created) or node.missing_imports & created:
                found.add(node.name)
            elif node.name in created:
                found.add(node.name)  # `a.py` became `a/__init__.py`
        return found - gone


class _NodesByPath:
    """The nodes of a generation by the paths that they depend on."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        # One file may be loaded under several names.
        self.sources: dict[str, list[Node]] = {}
        self.readers: dict[str, list[Node]] = {}
        self.listers: dict[str, list[Node]] = {}
        for node in nodes:
            if node.source:
                self.sources.setdefault(node.path, []).append(node)
            for path in node.files:
                self.readers.setdefault(path, []).append(node)
            for path in node.listed_dirs:
                self.listers.setdefault(path, []).append(node)


class ChangeDetector:
    """Compares the files with the serving generation and with the last attempt."""

    def __init__(self, root: str, project: str, env_file: EnvFile | None) -> None:
        self.root = root
        self.env_file = env_file
        self.triggers = RestartTriggers(project)
        # The digest of each path at the last attempt.
        self._tried: dict[str, bytes | None] = {}
        # The paths that differed from the serving generation at the last comparison.
        self._pending: set[str] = set()
        # The times of the last reloads of code that this process itself has written.
        self._own_writes: deque[float] = deque(maxlen=MAX_OWN)

    def compare(self, paths: Iterable[str] | None, serving: Generation) -> Changes:
        """Compare `paths`, or all files if None; always with the pending paths."""
        changes = Changes(SourceCache(serving.sources))
        nodes = _NodesByPath(serving.graph.nodes.values())
        candidates = self._candidates(paths, nodes)
        pending, self._pending = self._pending, set()
        for path in sorted(candidates):
            if path.endswith(".py") and file_inputs.is_own_output(path) and self._is_loop(path):
                continue
            is_environment = self.env_file is not None and path == self.env_file.path
            if not is_environment or path in nodes.readers:
                self._compare_file(path, nodes, changes, was_pending=path in pending)
        for path in {os.path.dirname(path) for path in candidates} | candidates:
            if path in nodes.listers:
                self._compare_listing(path, nodes.listers[path], changes)
        if self.env_file is not None and self.env_file.path in candidates:
            self._compare_variables(self.env_file, changes)
        changes.restart_triggers = self.triggers.compare(candidates)
        changes.is_new |= bool(changes.restart_triggers)
        return changes

    def record_attempt(self, changes: Changes) -> None:
        """Remember the digests of an attempt: the same content is not tried again."""
        self._tried.update(changes.digests)

    def accept(self) -> None:
        """Forget the differences of the last comparison: the new generation has them."""
        self._pending.clear()

    def inputs(self, nodes: Iterable[Node]) -> list[str]:
        """List the paths to watch, in addition to the files of the python dir."""
        found = set(self.triggers.paths())
        if self.env_file is not None:
            found.add(self.env_file.path)
        for node in nodes:
            found.update(node.files, node.listed_dirs)
            if node.source and not node.path.startswith(os.path.join(self.root, "")):
                found.update((node.path, os.path.dirname(node.path)))
        return sorted(found)

    def _candidates(self, paths: Iterable[str] | None, nodes: _NodesByPath) -> set[str]:
        """Return the paths to compare: `paths` and the files below them, and the pending ones."""
        found = set(self._pending)
        if paths is None:
            found.update(nodes.sources, nodes.readers, *map(walk, roots()), self.triggers.paths())
            return found | ({self.env_file.path} if self.env_file else set())
        for path in paths:
            path = os.path.abspath(path)
            found.add(path)
            if not _is_source(path):
                below = os.path.join(path, "")
                known = (*nodes.sources, *nodes.readers)
                found.update(other for other in known if other.startswith(below))
                if os.path.isdir(path):
                    found.update(walk(path))
        return found

    def _compare_file(
        self, path: str, nodes: _NodesByPath, changes: Changes, *, was_pending: bool
    ) -> None:
        """Compare a file as the source of modules, and as a file that modules have read."""
        differs, digest = False, None
        if _is_source(path) and (path in nodes.sources or is_user_file(path)):
            differs, digest = self._compare_source(path, nodes.sources.get(path, ()), changes)
        if path in nodes.readers:
            digest = file_inputs.file_digest(path)
            for node in nodes.readers[path]:
                if file_inputs.is_own_output(path):
                    node.files[path] = digest  # written by the app: not a save
                elif node.files[path] != digest:
                    changes.inputs_changed[node.name], differs = path, True
        is_known = path in nodes.sources or path in nodes.readers
        # A comparison of all files finds files that no module imports: no save has changed them.
        is_unused = not is_known and not was_pending and self._tried.get(path) == digest
        self._record(path, digest, differs, changes, is_known=is_known)
        if differs and not is_unused:
            self._pending.add(path)
            changes.paths.append(path)

    def _compare_source(
        self, path: str, nodes: Sequence[Node], changes: Changes
    ) -> tuple[bool, bytes | None]:
        """Compare a source file with the modules loaded from it; returns `differs` and a digest."""
        source = changes.sources.refresh(path)
        if not nodes:
            if source is None:
                return False, None
            name = module_name(import_root(path) or self.root, path)
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

    def _compare_listing(self, path: str, listers: Sequence[Node], changes: Changes) -> None:
        digest = file_inputs.listing_digest(path)
        changed = [node.name for node in listers if node.listed_dirs[path] != digest]
        changes.inputs_changed.update(dict.fromkeys(changed, path))
        # With a separator at the end: the names in a directory, not its files.
        name = os.path.join(path, "")
        self._record(name, digest, bool(changed), changes, is_known=True)
        if changed:
            self._pending.add(path)

    def _compare_variables(self, env_file: EnvFile, changes: Changes) -> None:
        found = env_file.read()
        differs = env_file.differs(found)
        if differs:
            changes.variables = found
            self._pending.add(env_file.path)
            if env_file.path not in changes.paths:
                changes.paths.append(env_file.path)
        self._record(env_file.path, found.digest, differs, changes, is_known=True)

    def _record(
        self, path: str, digest: bytes | None, differs: bool, changes: Changes, *, is_known: bool
    ) -> None:
        """Record the digest of a path, and whether it is new since the last attempt."""
        if path in changes.digests:
            changes.is_new |= changes.digests[path] != digest
        elif path in self._tried:
            changes.is_new |= self._tried[path] != digest
        else:
            changes.is_new |= differs and (is_known or digest is not None)
        changes.digests[path] = digest

    def _is_loop(self, path: str) -> bool:
        """Report whether code that writes code causes one reload after another."""
        now = time.monotonic()
        writes = self._own_writes
        if len(writes) == MAX_OWN and now - writes[0] < OWN_WINDOW_S:
            _log.error(
                "reload loop: this server wrote %s %d times in %g s; ignoring it until another "
                "program saves it",
                path,
                MAX_OWN,
                OWN_WINDOW_S,
            )
            return True
        writes.append(now)
        return False


def is_shifted(old: Source, new: Source) -> bool:
    """Report whether only lines have moved from one text to the other."""
    try:
        return old.code is not None and line_shift.is_same_but_for_lines(old.code, new.compile())
    except (SyntaxError, RecursionError, MemoryError, OverflowError):
        return False


def walk(directory: str) -> Iterator[str]:
    """Yield the source files below a directory that can be the user's modules."""
    seen: set[str] = set()
    real_roots = [os.path.realpath(root) for root in roots()]
    for base, directories, files in os.walk(directory, followlinks=True):
        real = os.path.realpath(base)
        is_environment = os.path.exists(os.path.join(base, "pyvenv.cfg"))
        if real in seen or is_environment or _leads_upwards(base, real, real_roots):
            directories.clear()
            continue
        seen.add(real)
        directories[:] = [
            name
            for name in directories
            if name.isidentifier() and name not in ("__pycache__", "node_modules")
        ]
        yield from (os.path.join(base, name) for name in files if _is_source(name))


def walk_unloaded(directory: str, loaded: Container[str]) -> Iterator[str]:
    """Yield the source files below a directory that were not loaded, without tests."""
    for path in walk(directory):
        if path not in loaded and not os.path.basename(path).startswith(("test_", "conftest.")):
            yield path


def _leads_upwards(path: str, real: str, real_roots: Sequence[str]) -> bool:
    """Report whether a link leads to a root or to a parent of one, perhaps to the whole disk."""
    if path in roots() or not os.path.islink(path):
        return False
    return any(os.path.join(root, "").startswith(os.path.join(real, "")) for root in real_roots)


def _is_source(path: str) -> bool:
    return path.endswith(".py") and not os.path.basename(path).startswith(".")
