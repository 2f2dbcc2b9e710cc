"""Finds and loads the user's modules, from the text read for one reload.

Owns the finder for everything below the python dir and the snapshot of each file's text. User
modules never come from a `.pyc`, so an edit of equal size in the same second is seen. Never
decides *when* to load (`_reload`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from . import state

_roots: tuple[str, ...] = ()
_project: str = os.getcwd()


def configure(roots: Sequence[str], project: str) -> None:
    """Name the directories whose modules are the user's, and the one that paths are shown from."""
    global _roots, _project
    _roots = tuple(os.path.abspath(root) for root in roots)
    _project = os.path.abspath(project)


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
    """Tell whether a module is the user's: loaded by us, or a namespace package below a root."""
    spec = getattr(module, "__spec__", None)
    if isinstance(getattr(spec, "loader", None), UserLoader):
        return True
    if getattr(module, "__file__", None) is not None or not hasattr(module, "__path__"):
        return False
    return any(path in _roots or is_user_file(path) for path in list(module.__path__))


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


class Source:
    """One file as it was read: its bytes, and its code once compiled."""

    __slots__ = ("code", "content", "digest", "path")

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        self.digest = hashlib.blake2b(content, digest_size=16).digest()
        self.code: CodeType | None = None

    def compile(self) -> CodeType:
        """Compile once. Raises SyntaxError, which carries this text as `source_text`."""
        if self.code is None:
            try:
                self.code = compile(self.content, self.path, "exec", dont_inherit=True)
            except SyntaxError as error:
                error.source_text = self.text  # type: ignore[attr-defined]
                raise
            except ValueError as error:  # a NUL byte, a wrong encoding
                raise SyntaxError(str(error), (self.path, 1, 1, "")) from error
        return self.code

    @property
    def text(self) -> str:
        return _decode(self.content)


class Sources:
    """The user's files as one reload saw them: each is read once and never again.

    `previous` lends its compiled code for files whose content is the same.
    """

    def __init__(self, previous: Sources | None = None) -> None:
        self._files: dict[str, Source] = {}
        self._previous = previous._files if previous else {}

    def read(self, path: str) -> Source:
        """Read a file, or return what an earlier read of this reload gave."""
        source = self._files.get(path)
        if source is None:
            with open(path, "rb") as file:
                source = Source(path, file.read())
            before = self._previous.get(path)
            if before is not None and before.digest == source.digest:
                source = before
            self._files[path] = source
        return source

    def kept(self, path: str) -> Source | None:
        """Return a file that was read, without reading it."""
        return self._files.get(path)

    def paths(self) -> list[str]:
        """List the files read so far, in the order of reading."""
        return list(self._files)

    def contents(self) -> dict[str, bytes]:
        """Give the bytes of every file read, for the pool's workers."""
        return {path: source.content for path, source in self._files.items()}

    def preload(self, contents: dict[str, bytes]) -> None:
        """Take files as already read, as a pool worker does."""
        self._files.update((path, Source(path, content)) for path, content in contents.items())


class UserFinder(MetaPathFinder):
    """Finds the user's modules below the roots; everything else is left to Python."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.timings: dict[str, float] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        tail = fullname.rpartition(".")[2]
        places: Sequence[str] = _roots if path is None else list(path)
        for place in places:
            if place not in _roots and not is_user_file(place):
                continue
            base = os.path.join(place, tail)
            package = os.path.join(base, "__init__.py")
            # A package wins over a module of the same name, as in Python itself.
            file = package if self._exists(package) else f"{base}.py"
            if self._exists(file):
                loader = UserLoader(fullname, file, self)
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=loader,
                    submodule_search_locations=[base] if file == package else None,
                )
        return None  # extension modules and namespace packages are Python's own affair

    def _exists(self, file: str) -> bool:
        # What was read once is there for this generation, whatever became of the file.
        return self.sources.kept(file) is not None or os.path.isfile(file)


class UserLoader(SourceFileLoader):
    """Runs one user module from the snapshot, and says how long it took."""

    def __init__(self, fullname: str, path: str, finder: UserFinder) -> None:
        super().__init__(fullname, path)
        self.finder = finder
        # Read now: the text that is compared, compiled and shown is one and the same.
        self.source = finder.sources.read(path)

    def get_code(self, fullname: str) -> CodeType:
        return self.source.compile()

    def get_source(self, fullname: str) -> str:
        return self.source.text

    def exec_module(self, module: ModuleType) -> None:
        staging = state.staging()
        executing = staging.executing if staging else []
        executing.append(module.__name__)
        handlers = 1 if staging is None else 0
        with _handlers_done:
            _importing[0] += handlers
        # What the imports inside take is theirs, not this module's.
        before = sum(self.finder.timings.values())
        start = time.perf_counter()
        try:
            exec(self.get_code(module.__name__), module.__dict__)
        finally:
            executing.pop()
            with _handlers_done:
                _importing[0] -= handlers
                _handlers_done.notify_all()
            inner = sum(self.finder.timings.values()) - before
            self.finder.timings[module.__name__] = time.perf_counter() - start - inner


_finder: UserFinder | None = None
# How many imports of user modules run outside a reload.
_importing = [0]
_handlers_done = threading.Condition()


def wait_for_handlers(timeout: float) -> None:
    """Wait until no handler is in the middle of an import of a user module."""
    with _handlers_done:
        _handlers_done.wait_for(lambda: _importing[0] == 0, timeout)


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


def _decode(content: bytes) -> str:
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")
