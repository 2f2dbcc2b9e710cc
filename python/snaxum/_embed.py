"""Makes the framework importable from the texts in the binary.

Owns one finder for `snaxum` and its submodules. Runs in the server, where Rust returns each text on
demand, and in every pool worker, where all texts arrive with the first message. It imports nothing
of the framework, and never reads the disk.
"""

from __future__ import annotations

import marshal
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from types import CodeType, ModuleType

PACKAGE = "snaxum"


def install(files: Collection[str], read: Callable[[str], str], compiled: bytes) -> None:
    """Put the framework first on `sys.meta_path`.

    `read` returns the text of one of `files`. `compiled` is the build's output: a magic number,
    then a dict of file names and marshalled code. Another version of Python compiles the texts.
    """
    from importlib._bootstrap_external import MAGIC_NUMBER

    is_ours = compiled[: len(MAGIC_NUMBER)] == MAGIC_NUMBER
    codes = marshal.loads(compiled[len(MAGIC_NUMBER) :]) if is_ours else {}
    finder = EmbeddedFinder(frozenset(files), read, codes)
    sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != EmbeddedFinder.__name__]
    sys.meta_path.insert(0, finder)


# Not a subclass from `importlib.abc`, which imports half of the standard library.
class EmbeddedFinder:
    """Finds `snaxum` and `snaxum.x` among the embedded sources, before any installed copy."""

    def __init__(
        self, files: Collection[str], read: Callable[[str], str], codes: dict[str, bytes]
    ) -> None:
        self.files = files
        self.read = read
        # Removed on import: a module is made once.
        self.codes = codes
        # By the name of another module, the call to make before its first import.
        self.before: dict[str, Callable[[], None]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, tail = fullname.partition(".")
        if package != PACKAGE:
            call = self.before.pop(fullname, None)
            if call is not None:
                call()
            return None
        base = tail.replace(".", "/")
        inits = f"{base}/__init__.py" if base else "__init__.py"
        file = inits if inits in self.files else f"{base}.py"
        if file not in self.files:
            return None
        # `<snaxum>/x.py` is a label that linecache follows to the loader; `<snaxum/x.py>` is not.
        loader = EmbeddedLoader(file, self)
        return ModuleSpec(fullname, loader, origin=loader.label, is_package=file == inits)  # type: ignore[arg-type]


class EmbeddedLoader:
    """Loads one embedded file."""

    def __init__(self, file: str, finder: EmbeddedFinder) -> None:
        self.file = file
        self.label = f"<{PACKAGE}>/{file}"
        self.finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # the default

    def get_source(self, fullname: str) -> str:
        return self.finder.read(self.file)

    def get_filename(self, fullname: str) -> str:
        return self.label

    def get_code(self, fullname: str) -> CodeType:
        compiled = self.finder.codes.pop(self.file, None)
        if compiled is None:
            return compile(self.get_source(fullname), self.label, "exec", dont_inherit=True)
        code: CodeType = marshal.loads(compiled)
        return code

    def get_data(self, path: str) -> bytes:
        """Read a data file; `path` has the directory of a module's `__file__`."""
        return self.finder.read(path.removeprefix(f"<{PACKAGE}>/")).encode()

    def is_package(self, fullname: str) -> bool:
        return self.label.endswith("/__init__.py")

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.label
        exec(self.get_code(module.__name__), module.__dict__)
