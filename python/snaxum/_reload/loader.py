"""Finds and loads the user's modules, from the text that one reload has read.

Owns the finder and the loaders of user modules. They never load a `.pyc`, so an edit of equal size
in the same second is seen. Each run of a module makes a node. Never decides *when* to load
(`reloader`).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from .._core.late_module import late_module
from .._core.objects import namespace
from .._runtime import generations, leases
from .model import MARK, Node, Source
from .source_cache import SourceCache
from .user_paths import is_user_file, is_user_path, roots, user_dirs

if TYPE_CHECKING:
    from . import run_record
else:
    run_record = late_module("snaxum._reload.run_record")

# The first parts of the names of all user modules that were found so far.
top_names: set[str] = set()


def loaded_source(filename: str, module_globals: dict[str, Any] | None) -> str | None:
    """Return the text that ran for these globals; the file may have changed since."""
    loader = _loader(module_globals or {})
    if isinstance(loader, UserLoader) and loader.path == filename:
        return loader.get_source(loader.name)
    if module_globals is None and _finder is not None:
        source = _finder.sources.cached(filename)
        return None if source is None else source.text
    return None


def is_user_module(module: object) -> bool:
    """Report whether a module was loaded by one of the loaders below."""
    return isinstance(_loader(namespace(module)), (UserLoader, NamespaceLoader))


def _loader(module_globals: dict[str, Any]) -> object:
    """Return the loader of a module, if it is one of those below."""
    spec = module_globals.get("__spec__")
    loader = spec.loader if type(spec) is ModuleSpec else None
    return loader if type(loader) in (UserLoader, NamespaceLoader) else None


def user_modules() -> dict[str, ModuleType]:
    """Return the user's modules in `sys.modules`, in load order."""
    return {name: module for name, module in list(sys.modules.items()) if is_user_module(module)}


def is_user_module_name(name: str) -> bool:
    """Report whether the loaded module of this name belongs to the user."""
    generation = leases.for_caller()
    # While a module runs again, it is not in `sys.modules`.
    if generation is not None and name in generation.modules:
        return True
    return is_user_module(sys.modules.get(name))


# Not a subclass of `importlib.abc`, which imports half of the standard library.
class UserFinder:
    """Finds the user's modules below the roots; Python finds all other modules."""

    def __init__(self, sources: SourceCache) -> None:
        self.sources = sources
        self.timings: dict[str, float] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in sys.stdlib_module_names:
            return None  # the standard library comes first
        tail = fullname.rpartition(".")[2]
        for directory in user_dirs(path):
            base = os.path.join(directory, tail)
            package = os.path.join(base, "__init__.py")
            # As in Python, a package comes before a module of the same name.
            file = package if self._exists(package) else f"{base}.py"
            if self._exists(file):
                top_names.add(fullname.partition(".")[0])
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
        """Find a directory without `__init__.py`, if all parts of it are the user's (PEP 420)."""
        tail = fullname.rpartition(".")[2]
        is_root = path is None and any(os.path.basename(root) == tail for root in roots())
        if not is_root and not any(os.path.isdir(os.path.join(p, tail)) for p in user_dirs(path)):
            return None
        spec = PathFinder.find_spec(fullname, path)
        locations = list(spec.submodule_search_locations or ()) if spec else []
        locations = [os.path.abspath(location) for location in locations]
        if spec is None or spec.origin is not None or not all(map(is_user_path, locations)):
            return None  # an extension module, or a part of a library
        if "." not in fullname:
            top_names.add(fullname)
        loader: Any = NamespaceLoader(fullname)  # the import system needs no more methods
        found = ModuleSpec(fullname, loader, is_package=True)
        found.submodule_search_locations = locations
        return found

    def _find_elsewhere(self, fullname: str) -> ModuleSpec | None:
        """Find a module that another finder takes from a root, as for an editable install."""
        if len(roots()) == 1:
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
            top_names.add(fullname)
            locations = spec.submodule_search_locations
            return importlib.util.spec_from_file_location(
                fullname,
                file,
                loader=UserLoader(fullname, file, self),
                submodule_search_locations=None if locations is None else list(locations),
            )
        return None

    def _exists(self, file: str) -> bool:
        # A file that was read exists for this generation, even if it is gone by now.
        return self.sources.cached(file) is not None or os.path.isfile(file)


class UserPackage(ModuleType):
    """A package of the user, whose submodules come from the caller's generation.

    Generations share the modules that a change did not reach. With its submodules as plain
    attributes, a shared package would show new code to requests that began before the swap.
    """

    def __setattr__(self, name: str, value: object) -> None:
        full = namespace(value).get("__name__")
        if type(full) is str and full == f"{self.__name__}.{name}":
            staging = generations.staging()
            running = staging.executing if staging is not None and staging.is_here() else []
            if not any(node.name == self.__name__ for node in running):
                return  # `__getattr__` finds it
            # The package's own code imported it, so they change together.
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        full = f"{self.__name__}.{name}"
        node = generations.executing()
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
        staging = generations.staging()
        if staging is not None and staging.is_here():
            staging.nodes[module.__name__] = Node(module.__name__, None)


class UserLoader(SourceFileLoader):
    """Runs one user module from the snapshot, and records its inputs, effects and run time."""

    def __init__(self, fullname: str, path: str, finder: UserFinder) -> None:
        super().__init__(fullname, path)
        self.finder = finder
        # Read once: the same text is compared, compiled and shown.
        self.source = finder.sources.read(path)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return UserPackage(spec.name) if spec.submodule_search_locations is not None else None

    def get_code(self, fullname: str) -> CodeType:
        return self.source.compile()

    def get_source(self, fullname: str) -> str:
        return self.source.text

    def exec_module(self, module: ModuleType) -> None:
        staging = generations.staging()
        if staging is not None and staging.is_here():
            self._run_staged(module, staging)
            return
        with _handlers_done:
            _importing[0] += 1
        name, is_package = module.__name__, hasattr(module, "__path__")
        try:
            exec(self.get_code(name), module.__dict__)
            _add_to_serving(name, module, self.source, is_package=is_package)
        finally:
            with _handlers_done:
                _importing[0] -= 1
                _handlers_done.notify_all()

    def _run_staged(self, module: ModuleType, staging: generations.Staging) -> None:
        name = module.__name__
        code = self.get_code(name)
        failed = staging.nodes.get(name)
        node = staging.nodes[name] = vars(module)[MARK] = Node(name, self.source)
        if failed is not None:
            node.tasks.update(failed.tasks)  # to be ended with this run
        is_package = hasattr(module, "__path__")
        staging.executing.append(node)
        token = generations.loading_node.set(node)
        record = None
        if records_runs:
            record = run_record.RunRecord(node, self.source, code, is_package=is_package)
        # The time of the imports inside belongs to the imported modules.
        before = sum(self.finder.timings.values())
        start = time.perf_counter()
        has_failed = False
        try:
            exec(code, module.__dict__)
            if after_run is not None:
                after_run(module, node)
        except BaseException:
            has_failed = True
            raise
        finally:
            inner = sum(self.finder.timings.values()) - before
            self.finder.timings[name] = time.perf_counter() - start - inner
            if record is not None:
                record.end(staging, has_failed=has_failed)
            staging.executing.pop()
            generations.loading_node.reset(token)
            # In the order in which runs end: an imported module comes before its importer.
            if staging.nodes.get(name) is node:
                staging.nodes[name] = staging.nodes.pop(name)
            if record is not None:
                record.complete(module)


# Whether a later reload may replace the runs.
records_runs = True
# Called as the last part of each run of a module, while code loads.
after_run: Callable[[ModuleType, Node], None] | None = None
_finder: UserFinder | None = None
# The number of imports of user modules that are running outside a reload.
_importing = [0]
_handlers_done = threading.Condition()


def wait_for_handlers(timeout: float) -> None:
    """Wait until no handler is importing a user module."""
    with _handlers_done:
        _handlers_done.wait_for(lambda: _importing[0] == 0, timeout)


def _add_to_serving(name: str, module: ModuleType, source: Source, *, is_package: bool) -> None:
    """Add a module that a handler has imported to the serving generation."""
    generation = generations.current_or_none()
    if generation is None:
        return
    from .graph import imports_of, imports_of_functions

    node, code = Node(name, source), source.compile()
    node.imported_lazily = True
    node.deferred_imports.update(imports_of_functions(code, name, is_package))
    node.imports.update(imports_of(code, name, is_package))
    generation.modules[name] = module
    generation.graph.nodes[name] = node


def install(sources: SourceCache) -> UserFinder:
    """Load user modules from `sources` from now on; returns the new finder."""
    global _finder
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    _finder = UserFinder(sources)
    # After the framework's own finder, before all others.
    sys.meta_path.insert(1, _finder)
    importlib.invalidate_caches()
    return _finder


def restore(finder: UserFinder | None) -> None:
    """Return to the finder of the generation that is still serving."""
    global _finder
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    _finder = finder
    if finder is not None:
        sys.meta_path.insert(1, finder)
