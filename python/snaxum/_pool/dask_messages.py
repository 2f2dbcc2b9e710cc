"""Messages between the server and a Dask worker, which may have neither `snaxum` nor the code.

Owns the program that a task begins with, and the texts of the framework and of the user's modules.
A worker without them asks for them by its reply, once for each version; so a task is small, and
nothing is stored in the cluster. Never submits a task (`dask_pool`).
"""

from __future__ import annotations

import marshal
import os
import pickle
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .._reload import user_paths

if TYPE_CHECKING:
    from .._reload.model import Source
    from .._runtime.child_imports import Framework
    from .._runtime.generations import Generation

# Dask calls `eval`, which each worker and scheduler has: with this text, and a namespace of
# `program` and `call`.
EXPRESSION = "exec(program) or run(call)"

# Loads the framework that the server has sent, in place of another one.
PROGRAM = """
def run(call):
    import sys
    name = "snaxum._pool.dask_worker"
    worker = sys.modules.get(name)
    if getattr(worker, "framework", None) != call["framework"]:
        if call["sources"] is None:
            return ("framework",)
        import importlib, marshal, threading, zlib
        with vars(sys).setdefault("_snaxum_lock", threading.Lock()):
            worker = sys.modules.get(name)
            if getattr(worker, "framework", None) != call["framework"]:
                if worker is not None:
                    worker.remove()
                for other in list(sys.modules):
                    if other.partition(".")[0] == "snaxum":
                        del sys.modules[other]
                sources, compiled = marshal.loads(zlib.decompress(call["sources"]))
                namespace = {"__name__": "_snaxum_embed"}
                exec(compile(sources["_embed.py"], "<snaxum>/_embed.py", "exec"), namespace)
                namespace["install"](sources, sources.__getitem__, compiled)
                worker = importlib.import_module(name)
                worker.install(call["framework"])
    return worker.run(call)
"""

# Ends the task of an id in the worker, if it still runs there.
INTERRUPT = "__import__('sys').modules['snaxum._pool.dask_worker'].interrupt(task)"

# The topic of the workers' events.
TOPIC = "snaxum"


@dataclass(frozen=True)
class SentVersion:
    """The user's code of one generation, whole."""

    key: str
    # The number of the generation, for people; two servers may have equal ones.
    number: int
    roots: tuple[str, ...]
    project: str
    # Where imports begin.
    directories: tuple[str, ...]
    # By path.
    files: Mapping[str, bytes]
    # By module, the number of the generation that has run it last.
    ran: Mapping[str, int]
    # The variables of the project's file.
    variables: Mapping[str, str]


class Messages:
    """Makes the messages of tasks, for one project; packs what workers ask for."""

    def __init__(self, framework: Framework, roots: Sequence[str], project: str) -> None:
        sources, self._compiled = framework
        # An installed package has no embedded texts.
        self._sources = sources or _read_package()
        digest = blake2b(digest_size=16)
        for name in sorted(self._sources):
            digest.update(f"{name}\0{self._sources[name]}\0".encode())
        self._framework = digest.hexdigest()
        self._packed_framework = b""
        self._roots, self._project = tuple(roots), project
        # An old generation ends with its last request.
        self._versions: WeakKeyDictionary[Generation, _Version] = WeakKeyDictionary()

    def first(self, generation: Generation, **call: Any) -> dict[str, Any]:
        """Make the message of a task, for a worker that has all it needs but `call`."""
        key = self._version(generation).key
        texts = {"framework": self._framework, "sources": None, "version_key": key, "version": None}
        return {**call, **texts}

    def again(
        self, message: dict[str, Any], generation: Generation, missing: str
    ) -> dict[str, Any]:
        """Add what a worker is `missing`: the `version`, or the `framework` and then that, too."""
        added = {**message, "version": self._version(generation).packed()}
        if missing == "framework":
            if not self._packed_framework:
                texts = marshal.dumps((self._sources, self._compiled))
                self._packed_framework = zlib.compress(texts)
            added["sources"] = self._packed_framework
        return added

    def _version(self, generation: Generation) -> _Version:
        found = self._versions.get(generation)
        # A handler may have imported further modules.
        if found is None or found.file_count != len(_sources_of(generation)):
            found = self._versions[generation] = _Version(generation, self._roots, self._project)
        return found


class _Version:
    """The code of a generation, packed when a worker asks for it first."""

    def __init__(self, generation: Generation, roots: tuple[str, ...], project: str) -> None:
        sources = _sources_of(generation)
        self.file_count = len(sources)
        directories = tuple(user_paths.user_dirs(None))
        ran, variables = dict(generation.ran), dict(generation.variables)
        files = {path: source.digest for path, source in sources.items()}
        content = (roots, project, directories, *map(_sorted_items, (files, ran, variables)))
        self.key = blake2b(repr(content).encode("utf-8", "replace"), digest_size=16).hexdigest()
        texts = {path: source.content for path, source in sources.items()}
        self._sent = SentVersion(
            self.key, generation.number, roots, project, directories, texts, ran, variables
        )
        self._packed = b""

    def packed(self) -> bytes:
        """Return the code as `unpack_version` takes it."""
        if not self._packed:
            self._packed = zlib.compress(pickle.dumps(self._sent, pickle.HIGHEST_PROTOCOL))
        return self._packed


def _sources_of(generation: Generation) -> dict[str, Source]:
    return generation.sources.by_path() if generation.sources is not None else {}


def _sorted_items(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(mapping.items())


def unpack_version(packed: bytes) -> SentVersion:
    """Return the code of a `version` in a message."""
    sent: SentVersion = pickle.loads(zlib.decompress(packed))
    return sent


def _read_package() -> dict[str, str]:
    """Read the files of the installed package."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    texts: dict[str, str] = {}
    for directory, _, files in os.walk(package):
        for file in files:
            if file.endswith((".py", ".json")):
                path = os.path.join(directory, file)
                with open(path, encoding="utf-8") as text:
                    texts[os.path.relpath(path, package).replace(os.sep, "/")] = text.read()
    return texts
