"""Reports each error of a load once: a module that does not load fails all its importers too.

Owns the comparison of failures by the line that raised, and the names of the modules. Plain data:
never loads anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .report import Failure
from .user_paths import display_root, import_root, module_name

# The most importers to name.
MAX_NAMED = 5


def distinct(failures: Mapping[str, Failure]) -> list[dict[str, Any]]:
    """List the failures with different origins: module and traceback.

    The hint names the modules that fail only because they import it.
    """
    groups: dict[tuple[object, ...], dict[str, Failure]] = {}
    for name, failure in failures.items():
        groups.setdefault(_origin(name, failure), {})[name] = failure
    found = []
    for (file, *_), group in groups.items():
        source = _module_of(file) if len(group) > 1 else next(iter(group))
        importers = sorted(set(group) - {source})
        # The shortest way to the error: that of the module itself, if it is an entry module.
        first = group.get(source) or min(group.values(), key=lambda one: len(one["frames"]))
        traceback = _with_importers(first, importers)
        found.append({"module": source, "importers": importers, "traceback": traceback})
    return found


def _origin(name: str, failure: Failure) -> tuple[object, ...]:
    """Return file and line of the deepest module that was running, and the error."""
    frames = [frame for frame in failure["frames"] if frame["user"]]
    modules = [frame for frame in frames if frame["function"] == "<module>"]
    if not modules:
        return ("", name)
    last = modules[-1]
    return (last["file"], last["line"], failure["type"], failure["message"])


def _module_of(file: object) -> str:
    path = os.path.join(display_root(), str(file))
    return module_name(import_root(path) or display_root(), path) or str(file)


def _with_importers(failure: Failure, importers: list[str]) -> Failure:
    if not importers:
        return failure
    named = ", ".join(importers[:MAX_NAMED]) + (", …" if len(importers) > MAX_NAMED else "")
    plural = "modules that import it" if len(importers) > 1 else "module that imports it"
    text = f"{len(importers)} {plural} cannot load: {named}"
    hint = f"{failure['hint']}; {text}" if failure["hint"] else text
    return {**failure, "hint": hint, "text": f"{failure['text']}{text}\n"}
