"""The data of a reload: modules as nodes, their sources, effects, hooks and kept values.

Owns the types that the parts of `_reload` share. Never decides when to load, undo or release.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Hashable
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._core.digests import blake2b
from .._core.late_log import late_log
from .._core.records import field, record

if TYPE_CHECKING:
    import asyncio
    import weakref

    from .._core.hooks import RequestHook, Scope
    from ..routing import Route
    from ..static_files import StaticMount

_log = late_log()

# The global of a module that refers to its node: a node lives as long as any code of its run.
MARK = "__snaxum_node__"


class Node:
    """One run of a module: the files that it read, and its routes, hooks and effects."""

    __slots__ = (
        "__weakref__",
        "deferred_imports",
        "effects",
        "files",
        "globals_seen",
        "hooks",
        "imported_lazily",
        "imports",
        "kept",
        "listed_dirs",
        "missing_imports",
        "name",
        "released_exclusive",
        "request_hooks",
        "routes",
        "scopes",
        "source",
        "static_mounts",
        "tasks",
        "threads",
    )

    def __init__(self, name: str, source: Source | None) -> None:
        self.name = name
        self.source = source
        # The user's modules that it imported while it ran. Its functions import the others when
        # they are called.
        self.imports: set[str] = set()
        self.deferred_imports: set[str] = set()
        # Whether a running handler imported it, and not another module.
        self.imported_lazily = False
        # Modules that it tried to import and that did not exist.
        self.missing_imports: set[str] = set()
        # The files that it read and the directories that it listed, with a digest of the content.
        self.files: dict[str, bytes | None] = {}
        self.listed_dirs: dict[str, bytes | None] = {}
        self.routes: list[Route] = []
        self.static_mounts: list[StaticMount] = []
        # Its hooks around handlers, and its blueprints.
        self.request_hooks: list[RequestHook] = []
        self.scopes: list[Scope] = []
        self.hooks: list[Hook] = []
        # Whether its exclusive `on_unload` hooks have run, before the next run of the module.
        self.released_exclusive = False
        # The keys that it passes to `keep`, and whether with `migrate=True`.
        self.kept: dict[str, bool] = {}
        self.effects: list[Effect] = []
        # Names of the threads that it started and that are still running.
        self.threads: list[str] = []
        # The running asyncio tasks that it or one of its start-up hooks started.
        self.tasks: set[weakref.ref[asyncio.Task[Any]]] = set()
        # Its globals right after its run: name to identity and size.
        self.globals_seen: dict[str, tuple[int, int]] = {}

    @property
    def path(self) -> str:
        return self.source.path if self.source else ""


class Source:
    """One file as it was read: its bytes, and its code once compiled."""

    __slots__ = ("__weakref__", "code", "content", "digest", "path")

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        self.digest = blake2b(content, digest_size=16).digest()
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


@record(eq=False, repr=False)
class Effect:
    """A change of `subject` from `before` to `after`.

    `put(value, expected)` sets `value` if `expected` is still there. `homes` names the modules of
    the classes and functions in `subject`. `on_release` is called when the last request on the
    code has ended.
    """

    kind: str
    subject: Any
    before: Any
    after: Any
    put: Callable[[Any, Any], None]
    homes: tuple[str, ...] = ()
    on_release: Callable[[Effect], None] | None = None
    # Whether it was undone for good, or a newer run has the same effect.
    is_over: bool = False

    def undo(self) -> None:
        _call_logged(self.put, self.before, self.after)

    def redo(self) -> None:
        _call_logged(self.put, self.after, self.before)

    def release(self) -> None:
        if self.on_release is not None:
            _call_logged(self.on_release, self)


@record(eq=False, repr=False)
class Kept:
    """A value that outlives reloads, and how it was made."""

    value: Any
    version: Hashable
    factory: object
    unload: Callable[[Any], object] | None
    # Whether code outside of a module's load has asked to migrate it.
    migrate: bool = False
    # The warnings so far: names of replaced classes, and the text.
    reported: set[tuple[str, str]] = field(default_factory=set)

    def release(self, key: str) -> None:
        """End the value; log what its `unload` raises."""
        try:
            if self.unload is not None:
                self.unload(self.value)
            elif callable(close := getattr(self.value, "close", None)):
                close()
        except BaseException:
            _log.exception("while the kept value %r was unloaded", key)


@record(eq=False, repr=False)
class Hook:
    """A function to call when its module starts, is replaced, or is put back.

    `when` is `startup`, `unload`, `shutdown` or `resume`.
    """

    when: str
    function: Callable[[], Any]
    exclusive: bool = False
    # For the log; "" is the name of the function.
    name: str = ""
    # The longest wait for it; None is the limit of all hooks.
    timeout_s: float | None = None


def _call_logged(function: Callable[..., None], *args: Any) -> None:
    try:
        function(*args)
    except Exception:
        _log.exception("cannot undo an effect of a module")


def _decode(content: bytes) -> str:
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")
