"""The hook on `import`: it records the imports of a load, and separates generations.

Owns the replacements of `__import__` and `importlib.import_module`. In the loading thread they
record which module imports which. In all other threads they return the modules of the caller's
generation, so a running handler never sees a module that is still loading or is rejected later.
Never decides what is loaded.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from .._core.objects import attribute
from .._runtime import generations, leases
from . import loader
from .effects import patches
from .model import Node

# The longest time that an import in a running handler waits for the end of a reload.
IMPORT_WAIT_S = 5.0

_MISSING = object()
_PACKAGE = str(__package__).partition(".")[0]
_import = builtins.__import__
_import_module = importlib.import_module


def install() -> None:
    """Install the hook, for the life of the process."""
    builtins.__import__ = _hooked_import
    importlib.import_module = _hooked_import_module


def _hooked_import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    if level and _is_of_framework(globals):
        return _import(name, globals, locals, fromlist, level)
    if not _is_loading():
        full = absolute(name, globals, level)
        top = full.partition(".")[0]
        if top in loader.top_names:
            found = _from_generation(full, fromlist)
            if found is not None:
                return found if fromlist or level else _from_generation(top, ())
        return _import(name, globals, locals, fromlist, level)
    try:
        module = _import(name, globals, locals, fromlist, level)
    except ModuleNotFoundError as error:
        _record_missing(globals, error)
        raise
    full = absolute(name, globals, level)
    if full.partition(".")[0] in loader.top_names:  # read after the import, which may add to it
        _record_import(full, module, fromlist, globals)
    else:
        patches.on_import(full, module, fromlist, globals)
    return module


def _hooked_import_module(name: str, package: str | None = None) -> ModuleType:
    full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
    if not _is_loading():
        found = _from_generation(full, ()) if full.partition(".")[0] in loader.top_names else None
        return found if found is not None else _import_module(name, package)
    caller = sys._getframe(1).f_globals
    try:
        module = _import_module(name, package)
    except ModuleNotFoundError as error:
        _record_missing(caller, error)
        raise
    if full.partition(".")[0] in loader.top_names:
        for node in _importers(caller):
            node.imports.add(full)
    else:
        patches.on_import(full, module, None, caller)
    return module


def _record_import(
    full: str, module: Any, fromlist: Sequence[str] | None, globals: Mapping[str, Any] | None
) -> None:
    """Add an edge from each importer to the module that was just imported."""
    names = [full]
    if fromlist:
        # In `from package import item`, the item may be a module.
        names += [f"{full}.{item}" for item in fromlist]
    else:
        parts = full.split(".")
        names += [".".join(parts[:count]) for count in range(1, len(parts))]
    for node in _importers(globals):
        for target in names:
            if target in sys.modules:
                node.imports.add(target)
        if fromlist and loader.is_user_module(module):
            node.missing_imports.update(
                f"{full}.{item}" for item in fromlist if item != "*" and not _has(module, item)
            )


def absolute(name: str, globals: Mapping[str, Any] | None, level: int) -> str:
    """Return the whole name of a module that an import statement names."""
    if not level or globals is None:
        return name
    package = globals.get("__package__") or globals.get("__name__", "")
    try:
        return importlib.util.resolve_name("." * level + name, package)
    except ImportError:
        return name  # the real import raises the error


def has(full: str, fromlist: Sequence[str] | None) -> bool:
    """Report whether the caller's generation has a module, with all names in `fromlist`."""
    return _from_generation(full, fromlist) is not None


def _is_of_framework(globals: Mapping[str, Any] | None) -> bool:
    """Report whether code of the framework imports, from a package of its own."""
    package = (globals or {}).get("__package__")
    return type(package) is str and (package == _PACKAGE or package.startswith(f"{_PACKAGE}."))


def _is_loading() -> bool:
    staging = generations.staging()
    return staging is not None and staging.is_here()


def _from_generation(full: str, fromlist: Sequence[str] | None) -> ModuleType | None:
    """Return a module of the caller's generation, if it has all names in `fromlist`."""
    generation = leases.for_caller()
    module = generation.modules.get(full) if generation else None
    if module is not None and all(item == "*" or _has(module, item) for item in fromlist or ()):
        return module
    staging = generations.staging()
    if staging is not None:
        # Not loaded yet: only after the swap is it known which code it belongs to. The wait is
        # bounded, because the module that is loading may itself wait for this thread.
        staging.over.wait(IMPORT_WAIT_S)
    return None


def _has(module: object, name: str) -> bool:
    return attribute(module, name, _MISSING) is not _MISSING


def _importers(globals: Mapping[str, Any] | None) -> list[Node]:
    """Return the importers: the module that is loading, and the one with the import statement."""
    staging = generations.staging()
    if staging is None:
        return []
    found = staging.executing[-1:]
    named = staging.nodes.get(str((globals or {}).get("__name__")))
    if named is not None and named not in found:
        found.append(named)
    return found


def _record_missing(globals: Mapping[str, Any] | None, error: ModuleNotFoundError) -> None:
    if error.name:
        for node in _importers(globals):
            node.missing_imports.add(error.name)
