"""Makes the framework importable from the text that the binary carries.

Owns one finder for `snaxum` and its submodules. Runs twice: in the server, where Rust hands the
sources over, and in every pool worker, where they arrive with the first message. It imports
nothing of the framework, and never touches the disk.
"""

from __future__ import annotations

import marshal
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

PACKAGE = "snaxum"


def install(sources: dict[str, str], compiled: bytes = b"") -> None:
    """Put the framework first on `sys.meta_path`.

    `sources` maps a file name to its text. `compiled` is what the build made of them: a magic
    number, then a dict of file names and marshalled code. Another Python than that of the build
    compiles the texts.
    """
    from importlib._bootstrap_external import MAGIC_NUMBER

    is_ours = compiled[: len(MAGIC_NUMBER)] == MAGIC_NUMBER
    codes = marshal.loads(compiled[len(MAGIC_NUMBER) :]) if is_ours else {}
    finder = EmbeddedFinder(sources, codes)
    sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != EmbeddedFinder.__name__]
    sys.meta_path.insert(0, finder)


# No subclass of `importlib.abc`, which brings half of the standard library along.
class EmbeddedFinder:
    """Finds `snaxum` and `snaxum.x` among the embedded sources, before any installed copy."""

    def __init__(self, sources: dict[str, str], codes: dict[str, bytes]) -> None:
        self.sources = sources
        self.codes = codes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, tail = fullname.partition(".")
        if package != PACKAGE:
            return None
        base = tail.replace(".", "/")
        inits = f"{base}/__init__.py" if base else "__init__.py"
        file = inits if inits in self.sources else f"{base}.py"
        if file not in self.sources:
            return None
        # `<snaxum>/x.py` is a label that linecache follows to the loader; `<snaxum/x.py>` is not.
        loader = EmbeddedLoader(f"<{PACKAGE}>/{file}", self.sources[file], self.codes.get(file))
        return ModuleSpec(fullname, loader, origin=loader.label, is_package=file == inits)  # type: ignore[arg-type]


class EmbeddedLoader:
    """Loads one embedded file."""

    def __init__(self, label: str, source: str, compiled: bytes | None) -> None:
        self.label = label
        self.source = source
        self.compiled = compiled

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # an ordinary one

    def get_source(self, fullname: str) -> str:
        return self.source

    def get_filename(self, fullname: str) -> str:
        return self.label

    def get_code(self, fullname: str) -> CodeType:
        if self.compiled is not None:
            code: CodeType = marshal.loads(self.compiled)
        else:
            code = compile(self.source, self.label, "exec", dont_inherit=True)
        return code

    def is_package(self, fullname: str) -> bool:
        return self.label.endswith("/__init__.py")

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.label
        exec(self.get_code(module.__name__), module.__dict__)
