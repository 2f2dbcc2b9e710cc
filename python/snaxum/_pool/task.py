"""A task of the pool and its reply, as they travel between the processes.

Owns the pickling by name: after a reload, a function or class is another object under the same
name, and the name counts on both sides. Never runs a task (`worker`), never chooses a worker
(`pool`).
"""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from types import FunctionType
from typing import Any

from .._reload import loader
from .._runtime import generations
from .._runtime.generations import Generation
from . import worker


class Task:
    """A call on its way to a worker: pickled at once, so that an error appears at its cause."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Any, request: int | None) -> None:
        named = fn.args[0] if isinstance(fn, partial) and fn.func is worker.call_each else fn
        module = getattr(named, "__module__", "?")
        self.name = f"{module}.{getattr(named, '__qualname__', repr(named))}"
        buffer = io.BytesIO()
        _ByName(buffer, pickle.HIGHEST_PROTOCOL).dump((fn, args, kwargs))
        self.payload = buffer.getvalue()
        self.future: Future[Any] = Future()
        # How many workers it was sent to; all but the last died before they read it.
        self.tries = 0
        # How many workers have died while they ran it.
        self.losses = 0
        # The request that its printed lines belong to.
        self.request = request
        # Whether no client waits for it.
        self.is_given_up = False
        # Once it has ended: the time that it waited for a worker, and the time that it ran.
        self.waited_s = self.ran_s = 0.0
        self._made = time.monotonic()

    def end(self, sent: float) -> None:
        """Record that its reply came now; it was sent to its worker at `sent`."""
        self.waited_s, self.ran_s = sent - self._made, time.monotonic() - sent
        self.payload = b""  # it may be large, and the request may continue for long

    def span(self) -> tuple[str, float, float]:
        """Return its name, when a worker began it (`time.monotonic`), and how long it ran, in s."""
        return self.name, self._made + self.waited_s, self.ran_s


class _ByName(pickle.Pickler):
    """Pickles the user's functions and classes by name.

    After a reload, the name of a function from before it refers to another object, and plain pickle
    refuses it; the worker has code of its own, so only the name counts.
    """

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, (FunctionType, type)):
            return NotImplemented
        if "<" in obj.__qualname__:
            raise TypeError(
                f"a pool worker cannot find `{obj.__qualname__}` by name; "
                "move it to the top level of a module"
            )
        spec = obj.__module__ and loader.is_user_module_name(obj.__module__)
        return (worker.resolve, (obj.__module__, obj.__qualname__)) if spec else NotImplemented


def load(payload: bytes, generation: Generation | None = None) -> Any:
    """Unpickle what a worker has pickled; the user's classes come from `generation`.

    Without one, they come from the current generation.
    """
    return _FromGeneration(io.BytesIO(payload), generation or generations.current()).load()


def load_reply(
    payload: bytes, generation: Generation | None = None
) -> tuple[Any, BaseException | None]:
    """Unpickle a worker's reply, as `load` does."""
    try:
        reply: tuple[Any, BaseException | None] = load(payload, generation)
    except BaseException as error:
        return None, error
    return reply


class _FromGeneration(pickle.Unpickler):
    """Finds the user's classes in one generation: `sys.modules` may have a later one."""

    def __init__(self, file: io.BytesIO, generation: Generation) -> None:
        super().__init__(file)
        self._generation = generation

    def find_class(self, module: str, name: str) -> Any:
        found: Any = self._generation.modules.get(module)
        if found is None:
            return super().find_class(module, name)
        for part in name.split("."):
            found = getattr(found, part)
        return found
