"""What `import` means while generations come and go.

Owns the hook on `__import__` and `importlib.import_module`. In the thread that loads, it notes who
imports whom; in every other thread it gives the modules of the generation that the caller works
for, so that running handlers never see a module that is still being loaded, or that is rejected
in the end. Never decides what is loaded.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from .._runtime import generations as state
from .._runtime import leases
from . import loader
from .effects import patches
from .model import Node

# How long an import in a running handler waits for the end of a reload.
IMPORT_WAIT_S = 5.0

_import = builtins.__import__
_import_module = importlib.import_module


def install() -> None:
    """Put the hook in place, for the life of the process."""
    builtins.__import__ = _hooked_import
    importlib.import_module = _hooked_import_module


def _hooked_import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    if not _is_loading():
        full = _absolute(name, globals, level)
        top = full.partition(".")[0]
        if top in loader.tops:
            found = _of_generation(full, fromlist)
            if found is not None:
                return found if fromlist or level else _of_generation(top, ())
        return _import(name, globals, locals, fromlist, level)
    try:
        module = _import(name, globals, locals, fromlist, level)
    except ModuleNotFoundError as error:
        _want(globals, error)
        raise
    full = _absolute(name, globals, level)
    if full.partition(".")[0] in loader.tops:  # looked up after the import, which may fill it
        _note(full, module, fromlist, globals)
    else:
        patches.see(full, module, fromlist, globals)
    return module


def _hooked_import_module(name: str, package: str | None = None) -> ModuleType:
    full = importlib.util.resolve_name(name, package) if name.startswith(".") else name
    if not _is_loading():
        found = _of_generation(full, ()) if full.partition(".")[0] in loader.tops else None
        return found if found is not None else _import_module(name, package)
    caller = sys._getframe(1).f_globals
    try:
        module = _import_module(name, package)
    except ModuleNotFoundError as error:
        _want(caller, error)
        raise
    if full.partition(".")[0] in loader.tops:
        for node in _importers(caller):
            node.imports.add(full)
    else:
        patches.see(full, module, None, caller)
    return module


def _note(
    full: str, module: Any, fromlist: Sequence[str] | None, globals: Mapping[str, Any] | None
) -> None:
    """Note who has just imported what."""
    names = [full]
    if fromlist:
        # Of `from package import item`, the item may be a module.
        names += [f"{full}.{item}" for item in fromlist]
    else:
        parts = full.split(".")
        names += [".".join(parts[:count]) for count in range(1, len(parts))]
    for node in _importers(globals):
        for target in names:
            if target in sys.modules:
                node.imports.add(target)
        if fromlist and loader.is_user_module(module):
            node.wanted.update(
                f"{full}.{item}" for item in fromlist if item != "*" and not hasattr(module, item)
            )


def _absolute(name: str, globals: Mapping[str, Any] | None, level: int) -> str:
    if not level or globals is None:
        return name
    package = globals.get("__package__") or globals.get("__name__", "")
    try:
        return importlib.util.resolve_name("." * level + name, package)
    except ImportError:
        return name  # the real import says what is wrong


def _is_loading() -> bool:
    staging = state.staging()
    return staging is not None and staging.is_here()


def _of_generation(full: str, fromlist: Sequence[str] | None) -> ModuleType | None:
    """Give the module as the caller's generation has it, if it has all of it."""
    generation = leases.for_caller()
    module = generation.modules.get(full) if generation else None
    if module is not None and all(item == "*" or hasattr(module, item) for item in fromlist or ()):
        return module
    staging = state.staging()
    if staging is not None:
        # Not loaded so far: only after the swap is it known which code it belongs to.
        # Bounded, because the module that is loading may itself wait for this thread.
        staging.over.wait(IMPORT_WAIT_S)
    return None


def _importers(globals: Mapping[str, Any] | None) -> list[Node]:
    """Give the modules that an import counts for: whose code says it, and who is being loaded."""
    staging = state.staging()
    if staging is None:
        return []
    found = staging.executing[-1:]
    named = staging.nodes.get(str((globals or {}).get("__name__")))
    if named is not None and named not in found:
        found.append(named)
    return found


def _want(globals: Mapping[str, Any] | None, error: ModuleNotFoundError) -> None:
    if error.name:
        for node in _importers(globals):
            node.wanted.add(error.name)
