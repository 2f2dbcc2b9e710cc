"""The data of a reload: modules as nodes, their sources, effects, hooks and kept values.

Owns the types that the parts of `_reload` share. Never decides when something is loaded, undone or
released.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._core.digests import blake2b

if TYPE_CHECKING:
    import asyncio
    import weakref

    from ..routing import Route

_log = logging.getLogger("snaxum")

# The global of a module that holds its node: as long as anything of a run lives, so does its node.
MARK = "__snaxum_node__"


class Node:
    """One run of a module: what it was made from, and what it left behind."""

    __slots__ = (
        "__weakref__",
        "effects",
        "files",
        "globals_seen",
        "has_let_go",
        "hooks",
        "imports",
        "is_adopted",
        "kept",
        "late",
        "listings",
        "name",
        "routes",
        "source",
        "tasks",
        "threads",
        "wanted",
    )

    def __init__(self, name: str, source: Source | None) -> None:
        self.name = name
        self.source = source
        # Names of the user's modules that it imported while it ran, and of those that its functions
        # import when they are called.
        self.imports: set[str] = set()
        self.late: set[str] = set()
        # Whether a running handler brought it in, and not the load of another module.
        self.is_adopted = False
        # Names of modules that it looked for and did not find.
        self.wanted: set[str] = set()
        # Files that it read and directories that it listed, with a digest of what it saw.
        self.files: dict[str, bytes | None] = {}
        self.listings: dict[str, bytes | None] = {}
        self.routes: list[Route] = []
        self.hooks: list[Hook] = []
        # Whether its exclusive hooks have run, to make room for a next run.
        self.has_let_go = False
        # Keys of the values that it keeps, and whether they are to get the classes of now.
        self.kept: dict[str, bool] = {}
        self.effects: list[Effect] = []
        # Names of the threads that it started and that go on.
        self.threads: list[str] = []
        # The asyncio tasks that it started and that go on, its start-up hooks included.
        self.tasks: set[weakref.ref[asyncio.Task[Any]]] = set()
        # What its globals were right after it had run: name to identity and size.
        self.globals_seen: dict[str, tuple[int, int]] = {}

    @property
    def path(self) -> str:
        return self.source.path if self.source else ""


class Source:
    """One file as it was read: its bytes, and its code once compiled."""

    __slots__ = ("code", "content", "digest", "path", "targets")

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        self.digest = blake2b(content, digest_size=16).digest()
        self.code: CodeType | None = None
        # The assignments to other modules that its text may do, once `effects.patches` has read it.
        self.targets: Any = None

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


@dataclass(eq=False)
class Effect:
    """A change of `subject` from `before` to `after`; `put(value, unless)` makes it so.

    `homes` names the modules of the classes and functions that it is about: it goes with them.
    `end` is called when no request can be on the code any more.
    """

    kind: str
    subject: Any
    before: Any
    after: Any
    put: Callable[[Any, Any], None]
    homes: tuple[str, ...] = ()
    end: Callable[[Effect], None] | None = None
    # Whether it was undone for good, or another run has made it again.
    is_over: bool = False

    def undo(self) -> None:
        quietly(self.put, self.before, self.after)

    def redo(self) -> None:
        quietly(self.put, self.after, self.before)


@dataclass
class Kept:
    """A value that outlives reloads, and what it was made by."""

    value: Any
    version: Hashable
    factory: object
    unload: Callable[[Any], object] | None
    # Whether a caller that is no module wants it to get the classes of now.
    migrate: bool = False
    # Old classes that it was found to hold, with what was said of them.
    told: set[tuple[str, str]] = field(default_factory=set)

    def release(self, key: str) -> None:
        """End the value; log what its `unload` raises."""
        try:
            if self.unload is not None:
                self.unload(self.value)
            elif callable(close := getattr(self.value, "close", None)):
                close()
        except BaseException:
            _log.exception("while the kept value %r was unloaded", key)


@dataclass(frozen=True)
class Hook:
    """A function to be called at a turn of its module's life."""

    when: str
    function: Callable[[], Any]
    exclusive: bool = False


def quietly(function: Callable[..., None], *args: Any) -> None:
    try:
        function(*args)
    except Exception:
        _log.exception("while an effect of a module was taken back")


def _decode(content: bytes) -> str:
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")
