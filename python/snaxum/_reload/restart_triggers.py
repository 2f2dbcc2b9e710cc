"""Changes that need a new process: settings, installed packages, extension modules.

Owns the comparison of `[tool.snaxum]`, the virtual environment and the user's own extension modules
with their state at the start of the process. Never restarts anything.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

from .._core.late_regex import late
from .._core.objects import namespace
from . import file_inputs
from .user_paths import display_path, is_user_file

_SECTION = late(r"^\[tool\.snaxum\][^\n]*\n(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)


def _site_packages() -> str:
    """Return the package directory of a virtual environment; `sysconfig` would take 200 KB."""
    version = "python{}.{}".format(*sys.version_info)
    return os.path.join(sys.prefix, "lib", version, "site-packages")


class RestartTriggers:
    """Compares files that are read only at the start of the process with their state then."""

    def __init__(self, project: str) -> None:
        self._pyproject = os.path.join(project, "pyproject.toml")
        self._environment = os.path.join(project, ".venv", "pyvenv.cfg")
        self._packages = _site_packages() if sys.prefix != sys.base_prefix else ""
        # The number of loaded modules at the last search for extensions, and its result.
        self._module_count = 0
        self._extensions: list[str] = []
        self._seen: dict[str, object] = {path: self._state(path) for path in self.paths()}

    def paths(self) -> list[str]:
        """List the files and directories that are compared."""
        paths = [self._pyproject, self._environment, self._packages]
        return [path for path in paths if path] + self._find_extensions()

    def compare(self, candidates: Iterable[str]) -> list[tuple[str, str]]:
        """List the changed paths among `candidates`, each with the reason; every change once."""
        changed = []
        for path in candidates:
            directory = os.path.dirname(path)
            watched = directory if directory == self._packages else path
            if watched not in self._seen:
                if path.endswith(".so") and path in self._find_extensions():
                    self._seen[path] = self._state(path)
                continue
            now = self._state(watched)
            if now != self._seen[watched]:
                self._seen[watched] = now
                changed.append((watched, self._reason(watched)))
        return changed

    def _state(self, path: str) -> object:
        if path == self._packages:
            return file_inputs.listing_digest(path)
        if path == self._pyproject:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    section = _SECTION.search(file.read())
            except OSError:
                return None
            return section[1].strip() if section else None
        return file_inputs.file_digest(path)

    def _reason(self, path: str) -> str:
        if path == self._pyproject:
            return "[tool.snaxum] in pyproject.toml changed"
        if path in (self._packages, self._environment):
            return "the packages in .venv changed"
        return f"the extension module {display_path(path)} was rebuilt"

    def _find_extensions(self) -> list[str]:
        """List the files of extension modules in the user's directories."""
        if len(sys.modules) != self._module_count:
            self._module_count = len(sys.modules)
            files = [namespace(module).get("__file__") for module in list(sys.modules.values())]
            paths = [file for file in files if type(file) is str and file.endswith(".so")]
            self._extensions = [path for path in paths if is_user_file(path)]
        return self._extensions
