"""Which modules load by themselves.

Owns the list of the python dir's modules and packages, and the refusal of a name that is taken.
Never imports one.
"""

from __future__ import annotations

import keyword
import os
import sys

from . import loader


def discover(root: str) -> list[str]:
    """List the modules and packages of the python dir that load by themselves, sorted.

    Left out: names that start with `_` or `test_`, and `conftest`.
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
    """Give the file that a top-level name stands for, whether it exists or not."""
    package = os.path.join(root, name, "__init__.py")
    return package if os.path.isfile(package) else os.path.join(root, f"{name}.py")


def taken_name(name: str, root: str) -> ImportError | None:
    """Explain why a module of this name cannot load; None if it can."""
    known = sys.modules.get(name)
    is_standard = name in sys.stdlib_module_names
    if not is_standard and (known is None or loader.is_user_module(known)):
        return None
    place = "the standard library" if is_standard else "an installed package"
    path = loader.display_path(file_of(root, name))
    return ImportError(
        f"`{path}` has the name of a module of {place}, which comes first; rename the file",
        name=name,
        path=path,
    )
