"""What only a new process can take over: settings, the environment, extension modules.

Owns the look at `[tool.snaxum]`, at the virtual environment and at the user's own extension
modules, as they were when the process started. Never restarts anything.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

from . import file_inputs, loader

_SECTION = re.compile(r"^\[tool\.snaxum\][^\n]*\n(.*?)(?=^\[|\Z)", re.MULTILINE | re.DOTALL)


def _packages() -> str:
    """Return where a virtual environment has its packages; `sysconfig` takes 200 KB to say it."""
    version = "python{}.{}".format(*sys.version_info)
    return os.path.join(sys.prefix, "lib", version, "site-packages")


class Outside:
    """Compares what was fixed at the start with what is there now."""

    def __init__(self, project: str) -> None:
        self._pyproject = os.path.join(project, "pyproject.toml")
        self._environment = os.path.join(project, ".venv", "pyvenv.cfg")
        self._packages = _packages() if sys.prefix != sys.base_prefix else ""
        # The modules there were when they were last gone through, and what was found.
        self._modules = 0
        self._found: list[str] = []
        self._seen: dict[str, object] = {path: self._state(path) for path in self.paths()}

    def paths(self) -> list[str]:
        """List the files and directories that count."""
        paths = [self._pyproject, self._environment, self._packages]
        return [path for path in paths if path] + self._extensions()

    def compare(self, looked: Iterable[str]) -> list[tuple[str, str]]:
        """Give what differs among `looked`, once, with the reason for a new process."""
        found = []
        for path in looked:
            directory = os.path.dirname(path)
            known = directory if directory == self._packages else path
            if known not in self._seen:
                if path.endswith(".so") and path in self._extensions():
                    self._seen[path] = self._state(path)
                continue
            now = self._state(known)
            if now != self._seen[known]:
                self._seen[known] = now
                found.append((known, self._reason(known)))
        return found

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
        return f"the extension module {loader.display_path(path)} was built anew"

    def _extensions(self) -> list[str]:
        """List the files of extension modules that lie among the user's own."""
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
            self._found = [f for f in files if f and f.endswith(".so") and loader.is_user_file(f)]
        return self._found
