"""Finds the modules of the installed package without a search, for a short start.

Owns the way from a name to its `.pyc`: the finder of Python lists directories, tries suffixes and
reads each file in several steps. It finds whatever this one does not: packages, and modules whose
`.pyc` is missing or belongs to another source. Never writes a file.
"""

from __future__ import annotations

import marshal
import os
import sys

# `importlib.util` imports `contextlib` and `collections`.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

PACKAGE = __name__.partition(".")[0]
# A `.pyc` begins with a magic number, flags, and the time and the size of the source (PEP 552).
_HEAD = 16
# The most bytes that are read at once; a larger file is left to Python.
_MOST = 1 << 16


def install(directory: str) -> None:
    """Put the finder for the package in `directory` first on `sys.meta_path`.

    Not for an interpreter whose `.pyc` files are in another place, or have another name.
    """
    tag = sys.implementation.cache_tag
    if tag is not None and not sys.flags.optimize and sys.pycache_prefix is None:
        sys.meta_path.insert(0, PackageFinder(directory, tag))


# Not a subclass from `importlib.abc`, which imports half of the standard library.
class PackageFinder:
    """Finds `snaxum.x` by its `.pyc`."""

    def __init__(self, directory: str, tag: str) -> None:
        self._directory = directory
        self._ending = f".{tag}.pyc"
        # Flags of 0: time and size belong to the source.
        self._magic = MAGIC_NUMBER + bytes(4)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, tail = fullname.partition(".")
        if package != PACKAGE:
            return None
        base, _, name = tail.rpartition(".")
        directory = f"{self._directory}/{base.replace('.', '/')}" if base else self._directory
        file, cached = f"{directory}/{name}.py", f"{directory}/__pycache__/{name}{self._ending}"
        code = self._read(file, cached)
        if code is None:
            return None
        spec = ModuleSpec(fullname, PackageLoader(fullname, file, code), origin=file)
        spec.cached, spec.has_location = cached, True
        return spec

    def _read(self, file: str, cached: str) -> CodeType | None:
        """Return the code of a module, if its `.pyc` belongs to its source."""
        try:
            descriptor = os.open(cached, os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.read(descriptor, _MOST)
            finally:
                os.close(descriptor)
            source = os.stat(file)
        except OSError:
            return None
        stamp = int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF
        head = self._magic + b"".join(number.to_bytes(4, "little") for number in stamp)
        if len(data) == _MOST or data[:_HEAD] != head:
            return None
        code: CodeType = marshal.loads(memoryview(data)[_HEAD:])
        # Another one is of the place from which the package was moved.
        return code if code.co_filename == file else None


class PackageLoader(SourceFileLoader):
    """Loads one of these modules."""

    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code: CodeType | None = code

    def get_code(self, fullname: str) -> CodeType | None:
        code, self._code = self._code, None  # a module is made once
        return super().get_code(fullname) if code is None else code
