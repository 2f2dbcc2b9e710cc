"""Static files: the `static` declaration, which the server responds to without Python.

Owns `StaticMount` and the checks of a declaration. Reads no file: Rust serves the directories of
the generation that serves (`src/static_files.rs`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from . import _registry
from ._core.digests import sha256
from ._core.handlers import relative_to
from ._core.route_errors import RouteError
from ._reload.user_paths import display_root

# The console and the API of dev mode.
RESERVED = "/__snaxum"


class StaticMount:
    """A directory whose files are served below a prefix. Do not change one."""

    __slots__ = ("directory", "file", "index", "line", "max_age", "module", "prefix", "spa")

    def __init__(
        self,
        prefix: str,
        directory: str,
        *,
        index: str = "index.html",
        spa: bool = False,
        max_age: int | None = None,
        module: str = "",
        file: str = "",
        line: int = 0,
    ) -> None:
        self.prefix: str = prefix
        self.directory: str = directory
        self.index: str = index
        self.spa: bool = spa
        self.max_age: int | None = max_age
        self.module: str = module
        self.file: str = file
        self.line: int = line

    @property
    def path(self) -> str:
        """The prefix as it is shown: `/` for the root."""
        return self.prefix or "/"

    @property
    def id(self) -> str:
        key = f"static {self.path}".encode(errors="surrogatepass")
        return "r_" + str(sha256(key).hexdigest())[:8]

    def to_rust(self) -> dict[str, Any]:
        """Return what the server needs to respond."""
        return {
            "id": self.id,
            "prefix": self.prefix,
            "directory": self.directory,
            "index": self.index,
            "spa": self.spa,
            "max_age": self.max_age,
        }

    def to_dict(self, root: str) -> dict[str, Any]:
        """Describe the mount as a row of the route table; paths are relative to `root`."""
        return {
            "v": 1,
            "id": self.id,
            "methods": ["GET"],
            "path": f"{self.prefix}/<path:file>",
            "pattern": self.prefix + "/{*file}",
            "params": [{"name": "file", "type": "path"}],
            "handler": relative_to(self.directory, root).rstrip("/") + "/",
            "module": self.module,
            "file": relative_to(self.file, root),
            "line": self.line,
            "end_line": self.line,
            "doc": "",
            "pool": False,
            "async": False,
            "mode": "static",
            "via": [],
            "no_capture": False,
            "warnings": [],
        }


class DuplicateStatic(RouteError):
    """Two static directories with one prefix."""

    def __init__(self, first: StaticMount, second: StaticMount) -> None:
        self.first: StaticMount = first
        self.second: StaticMount = second
        root = display_root()
        shown = [
            f"{relative_to(each.directory, root)} at {each.file}:{each.line}"
            for each in (first, second)
        ]
        super().__init__(
            f"two static directories at `{second.path}`: {shown[0]} and {shown[1]}; "
            "change one of the prefixes"
        )


def find_file(mounts: Iterable[StaticMount], path: str) -> tuple[StaticMount, str] | None:
    """Find the file that Rust would serve for a decoded path: the mount, and the name below it."""
    for mount in sorted(mounts, key=lambda mount: -len(mount.prefix)):
        if path.startswith(f"{mount.prefix}/"):
            name = path[len(mount.prefix) + 1 :]
            if mount.index and (not name or name.endswith("/")):
                name += mount.index
            root = os.path.realpath(mount.directory)
            real = os.path.realpath(os.path.join(root, name))
            inside = os.path.relpath(real, root).split(os.sep)
            is_public = all(part == ".well-known" or part[:1] != "." for part in inside)
            return (mount, name) if is_public and os.path.isfile(real) else None
    return None


def missing_file(mounts: Iterable[StaticMount], path: str) -> str | None:
    """Describe the absence of a file below the mount of a decoded path, if it is below one."""
    for mount in sorted(mounts, key=lambda mount: -len(mount.prefix)):
        if mount.prefix and path.startswith(f"{mount.prefix}/"):
            shown = relative_to(mount.directory, display_root())
            return f"no file `{path[len(mount.prefix) + 1 :]}` in the static directory `{shown}`"
    return None


def static(
    prefix: str,
    directory: str | os.PathLike[str],
    *,
    index: bool | str = True,
    spa: bool = False,
    max_age: int | None = None,
) -> None:
    """Serve the files in `directory` below `prefix`, without Python.

    A relative directory is below the project. A path that names no file goes to the routes.
    `index` is the file that represents a directory; `True` is `index.html`. With
    `spa`, the index of the directory is also the response to a path without a file and without a
    route, if the client accepts HTML. A client may use a file for `max_age` seconds without asking
    again; without it, and for HTML, it asks each time. Raises RouteError.
    """
    frame = sys._getframe(1)
    file, line = os.path.abspath(frame.f_code.co_filename), frame.f_lineno
    module = str(frame.f_globals.get("__name__", ""))

    def error(problem: str) -> RouteError:
        return RouteError(f"static directory `{prefix}` at {file}:{line}: {problem}")

    if not isinstance(prefix, str) or not prefix.startswith("/"):
        raise error('the prefix must begin with a slash: `static("/assets", "assets")`')
    names = prefix.strip("/").split("/") if prefix.strip("/") else []
    for name in names:
        if name in ("", ".", "..") or name.startswith(".") or set(name) & set("<>?#\\\0"):
            raise error(
                f"`{name}` cannot be a name in a prefix, which is plain text without `<...>`"
            )
    clean = "".join(f"/{name}" for name in names)
    if clean == RESERVED or clean.startswith(RESERVED + "/"):
        raise error(f"`{RESERVED}` belongs to the console; choose another prefix")
    try:
        path = os.path.abspath(os.path.join(display_root(), os.fspath(directory)))
    except TypeError:
        raise error(f"the directory is a {type(directory).__name__}; pass a path") from None
    try:
        (clean + path).encode()
    except UnicodeEncodeError:
        raise error("the prefix or the directory is not UTF-8; rename it") from None
    if not os.path.isdir(path):
        kind = "is not a directory" if os.path.exists(path) else "does not exist"
        remedy = "create it or correct the path"
        beside = os.path.join(os.path.dirname(file), os.fspath(directory))
        if os.path.isdir(beside):
            remedy = f"write `{relative_to(beside, display_root())}`"
        raise error(f"`{path}` {kind}; {remedy}, relative to the project")
    if index is True:
        index = "index.html"
    if not isinstance(index, str):
        index = ""
    if index.startswith(".") or "/" in index or "\\" in index:
        raise error(f"`index` is {index!r}; it must be the name of a file, such as index.html")
    if spa and not index:
        raise error("`spa` needs an index; leave out `index=False`")
    if max_age is not None and (type(max_age) is not int or max_age < 0):
        raise error(f"`max_age` is {max_age!r}; it must be a number of seconds, such as 3600")
    mount = StaticMount(
        clean,
        path,
        index=index,
        spa=bool(spa),
        max_age=max_age,
        module=module,
        file=file,
        line=line,
    )
    if _registry.sink is not None:
        _registry.sink.add_static(mount)
