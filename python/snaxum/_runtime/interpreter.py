"""Adjusts a running interpreter: its streams, and the settings of one that another program started.

Owns the encoding of the standard streams of commands, and the place of the python dir after the
standard library. If another program started the interpreter, also `sys.executable`, the project's
site-packages and the encoding of text; if the user did, only the last two. Never changes the
encoding of file names or Python's main thread, which are fixed at the start.
"""

from __future__ import annotations

import os
import site
import sys
import threading
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType


def adopt(venv: str | None, build_python: str) -> None:
    """Set the interpreter up as if it had been started for `venv`, or without one."""
    executable = find_executable(venv, build_python)
    if executable is not None:
        sys.executable = executable
        # Pool workers start with it; the embedding program would start copies of itself. If
        # `multiprocessing` is imported later, it reads `sys.executable`.
        if "multiprocessing" in sys.modules:
            sys.modules["multiprocessing"].set_executable(executable)
    if venv is not None:
        sys.prefix = sys.exec_prefix = venv
        _add_packages(venv)
    _prefer_utf8()


# Whether the interpreter ends with the server: not in a process that only tests a project.
ends_with_server = True


def use_host(venv: str | None) -> None:
    """Adjust the interpreter that has imported the extension module; add another `venv`."""
    global ends_with_server
    ends_with_server = threading.current_thread() is threading.main_thread()
    if venv is not None and os.path.realpath(venv) != os.path.realpath(sys.prefix):
        _add_packages(venv)
    _prefer_utf8()


def _add_packages(venv: str) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site.addsitedir(os.path.join(venv, "lib", version, "site-packages"))


def _prefer_utf8() -> None:
    """Make UTF-8 the default of `open()`."""
    if sys.flags.utf8_mode:
        return
    with open(os.devnull, encoding="locale") as file:
        encoding = file.encoding
    if encoding.lower().replace("-", "") != "utf8":
        import locale  # large

        for name in ("C.UTF-8", "en_US.UTF-8", "UTF-8"):
            try:
                locale.setlocale(locale.LC_CTYPE, name)
                break
            except locale.Error:
                continue


def add_to_path(root: str) -> None:
    """Let Python find the modules in `root` after the standard library, before installed packages.

    A file such as `queue.py` must not replace a module that the framework, the pool or the user's
    own processes import later.
    """
    prefer_standard_library([root])
    if root not in sys.path:
        library = os.path.dirname(os.__file__)
        places = (library, os.path.join(library, "lib-dynload"))
        ends = [index + 1 for index, path in enumerate(sys.path) if path in places]
        sys.path.insert(max(ends, default=0), root)


def prefer_standard_library(roots: list[str]) -> None:
    """Import modules with a name of the standard library from there, and never from `roots`."""
    found = [finder for finder in sys.meta_path if type(finder) is StandardLibraryFinder]
    if not found:
        sys.meta_path.insert(1, StandardLibraryFinder(roots))
    elif not found[0].roots:
        found[0].roots = roots  # `after_import` has put it there


# By the name of a module of the standard library, the call to make once it has been imported.
_after: dict[str, Callable[[], None]] = {}


def after_import(name: str, call: Callable[[], None]) -> None:
    """Call a function once a module of the standard library has been imported, which it was not.

    Any import from now on may be the one, also before the roots are known.
    """
    _after[name] = call
    prefer_standard_library([])


class StandardLibraryFinder:
    """Finds modules of the standard library whose names files of the user have, too.

    Also a module that `after_import` names.
    """

    def __init__(self, roots: list[str]) -> None:
        self.roots = roots

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for a module that this system does not have."""
        if path is not None or fullname not in sys.stdlib_module_names:
            return None
        is_awaited = fullname in _after
        places = [os.path.join(root, fullname) for root in self.roots]
        if not is_awaited and not any(
            os.path.exists(f"{place}.py") or os.path.isdir(place) for place in places
        ):
            return None
        elsewhere = [entry for entry in sys.path if entry not in self.roots]
        spec = (
            BuiltinImporter.find_spec(fullname)
            or FrozenImporter.find_spec(fullname)
            or PathFinder.find_spec(fullname, elsewhere)
        )
        if spec is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if is_awaited and spec.loader is not None:
            spec.loader = _CallingLoader(spec.loader)  # type: ignore[assignment]
        return spec


class _CallingLoader:
    """Loads a module by its loader, and then makes the call of `after_import`."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None, "a module that is imported has one"
        module.__loader__ = spec.loader = self._loader
        self._loader.exec_module(module)
        call = _after.pop(module.__name__, None)
        if call is not None:
            call()


def set_up_streams() -> None:
    """Make `print` write line by line, in UTF-8, in any locale; it waits for the reader."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def redirect_stdout(load: Callable[[], bytes]) -> bytes:
    """Send to stderr what modules print as they load: stdout is for the requested list."""
    sys.stdout = sys.stderr
    original = os.dup(1)
    os.dup2(2, 1)
    try:
        return load()
    finally:
        os.dup2(original, 1)
        os.close(original)


def find_executable(venv: str | None, build_python: str) -> str | None:
    """Find a real Python of this version; `sys.executable` may be a shim, or the program itself."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [os.path.join(venv, "bin", "python")] if venv else []
    candidates += [
        os.path.join(sys.base_exec_prefix, "bin", version),
        build_python if os.path.basename(os.path.realpath(build_python)) == version else "",
    ]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)
