"""Finds and loads the user's modules, from the text read for one reload.

Owns the finder for everything below the python dir. User modules never come from a `.pyc`, so an
edit of equal size in the same second is seen; each run of one leaves a node that says what it was
made from. Never decides *when* to load (`reloader`).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from .._runtime import generations as state
from .._runtime import leases
from . import effects, file_inputs, line_shift
from .graph import imports_of, imports_of_functions
from .model import MARK, Node, Source
from .source_cache import Sources

# First parts of the names of user modules, as far as any was looked for.
tops: set[str] = set()

_roots: tuple[str, ...] = ()
_project: str = os.getcwd()


def configure(roots: Sequence[str], project: str) -> None:
    """Name the directories whose modules are the user's, and the one that paths are shown from."""
    global _roots, _project
    _roots = tuple(os.path.abspath(root) for root in roots)
    _project = os.path.abspath(project)


def roots() -> tuple[str, ...]:
    """Return the directories that were named."""
    return _roots


def import_root(filename: str) -> str | None:
    """Return the directory that the name of a user's module starts from."""
    if filename.startswith(_roots[0] + os.sep):
        return _roots[0]
    above = [place for place in (*_roots, *sys.path) if filename.startswith(place + os.sep)]
    return max(above, key=len, default=None)


def is_user_file(filename: str) -> bool:
    """Tell whether `filename` lies below a watched root, and is no installed package's."""
    for root in _roots:
        if filename.startswith(root + os.sep):
            inside = filename[len(root) + 1 :].split(os.sep)
            installed = filename.startswith(sys.prefix + os.sep) and not root.startswith(sys.prefix)
            return not installed and not any(
                part.startswith(".") or part in ("site-packages", "dist-packages")
                for part in inside[:-1]
            )
    return False


def is_user_path(path: str) -> bool:
    """Tell whether a directory is a root or lies below one."""
    return path in _roots or is_user_file(path)


@functools.lru_cache(maxsize=256)
def _user_place(path: str) -> str | None:
    """Give a directory as an absolute path, if it is the user's."""
    path = os.path.abspath(path)
    return path if path in _roots or is_user_file(os.path.join(path, "any.py")) else None


def _places(path: Sequence[str] | None) -> list[str]:
    """List the user's directories in which a module is looked for, in Python's order."""
    if path is None:
        path = sys.path if _roots[0] in sys.path else [*sys.path, _roots[0]]
    return [place for entry in path if (place := _user_place(entry)) is not None]


def display_path(filename: str) -> str:
    """Shorten a path to what a person in the project would type."""
    prefix = _project + os.sep
    return filename[len(prefix) :] if filename.startswith(prefix) else filename


def display_root() -> str:
    """Return the directory that shown paths are relative to."""
    return _project


def loaded_source(filename: str, module_globals: dict[str, Any] | None) -> str | None:
    """Return the text that ran for these globals, whatever the file holds by now."""
    spec = (module_globals or {}).get("__spec__")
    loader = getattr(spec, "loader", None)
    if isinstance(loader, UserLoader) and loader.path == filename:
        return loader.get_source(loader.name)
    if module_globals is None and _finder is not None:
        kept = _finder.sources.kept(filename)
        return None if kept is None else kept.text
    return None


def is_user_module(module: ModuleType) -> bool:
    """Tell whether a module is the user's: loaded by us."""
    spec = getattr(module, "__spec__", None)
    return isinstance(getattr(spec, "loader", None), (UserLoader, NamespaceLoader))


def user_modules() -> dict[str, ModuleType]:
    """Return the user's modules in `sys.modules`, in the order in which they were loaded."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and is_user_module(module)
    }


def find_user_module(name: str) -> bool:
    """Tell whether a module of this name would be the user's."""
    module = sys.modules.get(name)
    return module is not None and is_user_module(module)


# No subclass of `importlib.abc`, which brings half of the standard library along.
class UserFinder:
    """Finds the user's modules below the roots; everything else is left to Python."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.timings: dict[str, float] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        tail = fullname.rpartition(".")[2]
        for place in _places(path):
            base = os.path.join(place, tail)
            package = os.path.join(base, "__init__.py")
            # A package wins over a module of the same name, as in Python itself.
            file = package if self._exists(package) else f"{base}.py"
            if self._exists(file):
                tops.add(fullname.partition(".")[0])
                loader = UserLoader(fullname, file, self)
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=loader,
                    submodule_search_locations=[base] if file == package else None,
                )
        found = self._find_namespace(fullname, path)
        return self._find_elsewhere(fullname) if found is None and path is None else found

    def _find_namespace(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Find a directory without `__init__.py`, if no other finder has more of it (PEP 420)."""
        tail = fullname.rpartition(".")[2]
        is_root = path is None and any(os.path.basename(root) == tail for root in _roots)
        if not is_root and not any(os.path.isdir(os.path.join(p, tail)) for p in _places(path)):
            return None
        spec = PathFinder.find_spec(fullname, path)
        locations = list(spec.submodule_search_locations or ()) if spec else []
        locations = [os.path.abspath(location) for location in locations]
        if spec is None or spec.origin is not None or not all(map(is_user_path, locations)):
            return None  # an extension module, or a library's
        if "." not in fullname:
            tops.add(fullname)
        loader: Any = NamespaceLoader(fullname)  # what the import system asks of one is all there
        found = ModuleSpec(fullname, loader, is_package=True)
        found.submodule_search_locations = locations
        return found

    def _find_elsewhere(self, fullname: str) -> ModuleSpec | None:
        """Find what other finders take from a watched directory, such as an editable install."""
        if len(_roots) == 1:
            return None
        for finder in sys.meta_path:
            if isinstance(finder, UserFinder) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, None)
            if spec is None:
                continue
            file = spec.origin or ""
            if not file.endswith(".py") or not is_user_file(file):
                return None
            tops.add(fullname)
            places = spec.submodule_search_locations
            return importlib.util.spec_from_file_location(
                fullname,
                file,
                loader=UserLoader(fullname, file, self),
                submodule_search_locations=None if places is None else list(places),
            )
        return None

    def _exists(self, file: str) -> bool:
        # What was read once is there for this generation, whatever became of the file.
        return self.sources.kept(file) is not None or os.path.isfile(file)


class UserPackage(ModuleType):
    """A package of the user's, whose submodules are those of the caller's generation.

    Generations share the modules that a change did not reach. If such a package held its
    submodules as plain attributes, a swap would show in requests that began before it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            staging = state.staging()
            running = staging.executing if staging is not None and staging.is_here() else []
            if not any(node.name == self.__name__ for node in running):
                return  # `__getattr__` finds it
            # Its own code brought it in, so they change together.
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        node = state.executing()
        if node is not None:
            module = sys.modules.get(full)
            if module is not None:
                node.imports.add(full)
        else:
            generation = leases.for_caller()
            module = generation.modules.get(full) if generation else None
            module = module or sys.modules.get(full)
        if module is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return module


class NamespaceLoader:
    """Makes a package that has no code: a directory without `__init__.py`."""

    def __init__(self, fullname: str) -> None:
        self.name = fullname

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return UserPackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        staging = state.staging()
        if staging is not None and staging.is_here():
            staging.nodes[module.__name__] = Node(module.__name__, None)


class UserLoader(SourceFileLoader):
    """Runs one user module from the snapshot, and notes what it does and how long it takes."""

    def __init__(self, fullname: str, path: str, finder: UserFinder) -> None:
        super().__init__(fullname, path)
        self.finder = finder
        # Read now: the text that is compared, compiled and shown is one and the same.
        self.source = finder.sources.read(path)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return UserPackage(spec.name) if spec.submodule_search_locations is not None else None

    def get_code(self, fullname: str) -> CodeType:
        return self.source.compile()

    def get_source(self, fullname: str) -> str:
        return self.source.text

    def exec_module(self, module: ModuleType) -> None:
        staging = state.staging()
        if staging is not None and staging.is_here():
            self._run_staged(module, staging)
            return
        with _handlers_done:
            _importing[0] += 1
        try:
            exec(self.get_code(module.__name__), module.__dict__)
            _adopt(module, self.source)
        finally:
            with _handlers_done:
                _importing[0] -= 1
                _handlers_done.notify_all()

    def _run_staged(self, module: ModuleType, staging: state.Staging) -> None:
        name = module.__name__
        code = self.get_code(name)
        node = staging.nodes[name] = vars(module)[MARK] = Node(name, self.source)
        is_package = hasattr(module, "__path__")
        node.late.update(imports_of_functions(code, name, is_package))
        staging.executing.append(node)
        token = state.starter.set(node)
        effects.patches.begin(node, self.source)
        lists, threads = effects.lists(), set(threading.enumerate())
        # What the imports inside take is theirs, not this module's.
        before = sum(self.finder.timings.values())
        start = time.perf_counter()
        try:
            exec(code, module.__dict__)
        finally:
            inner = sum(self.finder.timings.values()) - before
            self.finder.timings[name] = time.perf_counter() - start - inner
            effects.note_additions(node, lists)
            effects.patches.settle(node)
            nested = {name for other in staging.nodes.values() for name in other.threads}
            started = [t.name for t in threading.enumerate() if t not in threads]
            node.threads = [name for name in started if name not in nested]
            staging.executing.pop()
            state.starter.reset(token)
            # In the order in which they end: what is imported comes before who imports it.
            if staging.nodes.get(name) is node:
                staging.nodes[name] = staging.nodes.pop(name)
            file_inputs.settle(node)
            node.globals_seen = line_shift.look_at_globals(module)


_finder: UserFinder | None = None
# How many imports of user modules run outside a reload.
_importing = [0]
_handlers_done = threading.Condition()


def wait_for_handlers(timeout: float) -> None:
    """Wait until no handler is in the middle of an import of a user module."""
    with _handlers_done:
        _handlers_done.wait_for(lambda: _importing[0] == 0, timeout)


def _adopt(module: ModuleType, source: Source) -> None:
    """Count a module that a handler has imported to the generation that serves."""
    generation = state.current_or_none()
    if generation is None:
        return
    node = Node(module.__name__, source)
    code, is_package = source.compile(), hasattr(module, "__path__")
    node.is_adopted = True
    node.late.update(imports_of_functions(code, module.__name__, is_package))
    node.imports.update(imports_of(code, module.__name__, is_package))
    generation.modules[module.__name__] = module
    generation.graph.nodes[module.__name__] = node


def install(sources: Sources) -> UserFinder:
    """Let imports of user modules read from `sources` from now on; returns the finder."""
    global _finder
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    _finder = UserFinder(sources)
    # Behind the framework's own finder, before everything else.
    sys.meta_path.insert(1, _finder)
    importlib.invalidate_caches()
    return _finder


def restore(finder: UserFinder | None) -> None:
    """Go back to the finder of the generation that serves on."""
    global _finder
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    _finder = finder
    if finder is not None:
        sys.meta_path.insert(1, finder)
