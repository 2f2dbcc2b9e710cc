"""Finds the entry modules: the modules and packages of the python dir that load by themselves.

Owns the list of them, and the error for a name that is taken. Never imports a module.
"""

from __future__ import annotations

import keyword
import os
import sys

from .loader import is_user_module
from .user_paths import display_path

_FRAMEWORK = __name__.partition(".")[0]


def discover(root: str) -> list[str]:
    """List the entry modules, sorted.

    Names that start with `_` or `test_` are left out, and `conftest`.
    """
    names = set()
    for entry in os.scandir(root):
        name, suffix = os.path.splitext(entry.name)
        package = suffix == "" and os.path.isfile(os.path.join(entry.path, "__init__.py"))
        if not package and not (suffix == ".py" and entry.is_file()):
            continue
        if name.startswith(("_", "test_")) or name == "conftest":
            continue
        if name.isidentifier() and not keyword.iskeyword(name):
            names.add(name)
    return sorted(names)


def file_of(root: str, name: str) -> str:
    """Return the file of a top-level module, whether it exists or not."""
    package = os.path.join(root, name, "__init__.py")
    return package if os.path.isfile(package) else os.path.join(root, f"{name}.py")


def name_conflict(name: str, root: str) -> ImportError | None:
    """Return the error for a module whose name is taken by another one; None if it can load."""
    is_standard = name in sys.stdlib_module_names
    if not is_standard and (name not in sys.modules or is_user_module(sys.modules[name])):
        return None
    place = "the standard library" if is_standard else "an installed package"
    path = display_path(file_of(root, name))
    return ImportError(
        f"`{path}` has the name of a module of {place}, which comes first; rename the file",
        name=name,
        path=path,
    )


def framework_conflict(error: BaseException, root: str) -> ImportError | None:
    """Return the error for a user's module with the name of the framework, if its import failed.

    None if `error` has another cause.
    """
    name = error.name if isinstance(error, ImportError) else None
    is_import = (name or "").partition(".")[0] == _FRAMEWORK
    if not is_import or not os.path.exists(file_of(root, _FRAMEWORK)):
        return None
    conflict = name_conflict(_FRAMEWORK, root)
    # With the line of the import.
    return conflict and conflict.with_traceback(error.__traceback__)
