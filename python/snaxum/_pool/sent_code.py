"""The user's code in a Dask worker: several versions of it, from the texts that servers send.

Owns the versions in this process, and which one `sys.modules` has. A version shares the modules
that no change reached with the version before it, as a generation does. A worker may run tasks of
several versions, projects and threads at once: each loads its modules, and finds its functions,
while `sys.modules` has its own. Never runs a task (`dask_worker`), never reads the server's disk.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .._reload import bytecode, import_hook, loader, user_paths
from .._reload.env_file import replace_variables
from .._reload.graph import Graph
from .._reload.source_cache import SourceCache
from .._runtime import generations
from ..routing import RouteTable
from .dask_messages import SentVersion

# So many versions stay in memory, of all projects together.
MAX_VERSIONS = 8

# The version that the calling task runs on.
running: ContextVar[Version | None] = ContextVar("snaxum_version", default=None)

# Reentrant: a module that is loading may import. Locked while a module loads.
_lock = threading.RLock()
# By key, the newest last.
_versions: dict[str, Version] = {}
_active: Version | None = None
# The functions that `install` has replaced.
_replaced: tuple[Any, Any] | None = None


class Version:
    """The code of one project at one time, and the modules that were made from it here."""

    def __init__(self, sent: SentVersion, previous: Version | None) -> None:
        """Share with `previous` the modules that no difference reaches."""
        self.sent = sent
        self.staging = _WorkerStaging()
        self.staging.over.set()
        self.sources: SourceCache = SourceCache(previous.sources if previous is not None else None)
        modules: dict[str, ModuleType] = {}
        if previous is not None:
            dropped = previous._reached_by(sent, self.sources)
            nodes, loaded = previous.staging.nodes, previous.generation.modules
            self.staging.nodes.update((n, nodes[n]) for n in nodes if n not in dropped)
            self.staging.kept = previous.staging.kept
            modules.update((n, loaded[n]) for n in loaded if n not in dropped)
        before = previous.sent.files if previous is not None else {}
        self.sources.preload(
            {path: text for path, text in sent.files.items() if before.get(path) != text}
        )
        for path in before:
            if path not in sent.files:
                self.sources.forget(path)
        self.finder = _SentFinder(self.sources, sent.directories)
        # The first parts of the names of its modules.
        self.names = {_top_name(path, sent.directories) for path in sent.files}
        self.generation: generations.Generation = generations.Generation(
            sent.number, RouteTable([]), modules, kept=self.staging.kept
        )

    def _reached_by(self, sent: SentVersion, sources: SourceCache) -> set[str]:
        """Name the modules that are not the same in the version `sent`."""
        before = self.sent
        paths = {*before.files, *sent.files}
        other = {path for path in paths if before.files.get(path) != sent.files.get(path)}
        nodes = self.staging.nodes
        # Modules that only workers have loaded come from the disk, and may have changed there.
        for node in nodes.values():
            if node.source is not None and node.path not in before.files:
                after = sources.refresh(node.path)
                if after is None or after.digest != node.source.digest:
                    other.add(node.path)
        seeds = {name for name, node in nodes.items() if node.path in other}
        seeds.update(name for name in nodes if before.ran.get(name) != sent.ran.get(name))
        return set(Graph(nodes.values()).dependents(seeds))

    def note_modules(self) -> None:
        """Record what was loaded; this version is the one in `sys.modules`."""
        if self.staging.nodes.keys() != self.generation.modules.keys():
            found = {name: sys.modules.get(name) for name in self.staging.nodes}
            self.generation.modules = {name: module for name, module in found.items() if module}


class _WorkerStaging(generations.NullStaging):
    """Collects the modules of one version; routes are discarded."""

    def is_here(self) -> bool:
        return self.thread == threading.get_ident()


class _SentFinder(loader.UserFinder):
    """Finds the modules of one version, also where the server's directories do not exist."""

    def __init__(self, sources: SourceCache, directories: Sequence[str]) -> None:
        super().__init__(sources)
        self._directories = list(directories)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in sys.stdlib_module_names:
            return None
        return super().find_spec(fullname, self._directories if path is None else path, target)

    def _find_namespace(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        found = super()._find_namespace(fullname, path)
        if found is not None:
            return found
        tail = fullname.rpartition(".")[2]
        bases = [os.path.join(directory, tail) for directory in user_paths.user_dirs(path)]
        files = self.sources.by_path()
        locations = [b for b in bases if any(file.startswith(b + os.sep) for file in files)]
        if not locations:
            return None
        loader.top_names.add(fullname.partition(".")[0])
        spec = ModuleSpec(fullname, loader.NamespaceLoader(fullname), is_package=True)  # type: ignore[arg-type]
        spec.submodule_search_locations = locations
        return spec


def find(key: str) -> Version | None:
    """Return the version of this key, if this process has it."""
    with _lock:
        version = _versions.pop(key, None)
        if version is not None:
            _versions[key] = version
        return version


def add(sent: SentVersion) -> Version:
    """Take a version that a server has sent."""
    with _lock:
        known = find(sent.key)
        if known is not None:
            return known
        place = (sent.project, sent.roots)
        same = [v for v in _versions.values() if (v.sent.project, v.sent.roots) == place]
        newest = max(reversed(same), key=lambda v: v.sent.number, default=None)
        version = _versions[sent.key] = Version(sent, newest)
        for key in list(_versions)[:-MAX_VERSIONS]:
            del _versions[key]
        return version


@contextmanager
def loading(version: Version) -> Iterator[None]:
    """Let the calling thread load modules of `version`, which `sys.modules` has meanwhile."""
    with _lock:
        _activate(version)
        staging = version.staging
        before, staging.thread = staging.thread, threading.get_ident()
        try:
            yield
        finally:
            staging.thread = before
            version.note_modules()


def _activate(version: Version | None) -> None:
    """Replace the active version: its modules, its finder, its variables."""
    global _active
    if _active is version:
        return
    before, _active = _active, version
    if before is not None:
        for name in loader.user_modules():
            sys.modules.pop(name, None)
    if version is not None:
        user_paths.configure(version.sent.roots, version.sent.project)
    replace_variables(
        before.sent.variables if before is not None else {},
        version.sent.variables if version is not None else {},
    )
    loader.restore(version.finder if version is not None else None)
    generations.stage(version.staging if version is not None else None)
    if version is not None:
        sys.modules.update(version.generation.modules)


def install() -> None:
    """Let the tasks of each version import its modules from now on."""
    global _replaced
    _replaced = builtins.__import__, importlib.import_module
    bytecode.install()
    import_hook.install()
    hooked_import, hooked_module = builtins.__import__, importlib.import_module

    def import_for_task(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        version = running.get()
        if version is not None:
            full = import_hook.absolute(name, globals, level)
            if _is_missing(version, full, fromlist):
                with loading(version):
                    return hooked_import(name, globals, locals, fromlist or (), level)
        return hooked_import(name, globals, locals, fromlist or (), level)

    def import_module_for_task(name: str, package: str | None = None) -> ModuleType:
        version = running.get()
        if version is not None:
            full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
            if _is_missing(version, full, ()):
                with loading(version):
                    return hooked_module(name, package)
        return hooked_module(name, package)

    builtins.__import__ = import_for_task
    importlib.import_module = import_module_for_task


def remove() -> None:
    """Undo `install`, and drop all versions: another framework replaces this one."""
    with _lock:
        _activate(None)
        _versions.clear()
        if _replaced is not None:
            builtins.__import__, importlib.import_module = _replaced


def _is_missing(version: Version, full: str, fromlist: Sequence[str] | None) -> bool:
    """Report whether an import may have to load a module of `version`."""
    return full.partition(".")[0] in version.names and not import_hook.has(full, fromlist)


def _top_name(path: str, directories: Sequence[str]) -> str:
    """Return the first part of the name of the module in a file."""
    above = max((d for d in directories if path.startswith(d + os.sep)), key=len, default="")
    return path[len(above) :].lstrip(os.sep).partition(os.sep)[0].removesuffix(".py")
