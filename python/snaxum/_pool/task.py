"""A task of the pool and its answer, as they travel between the processes.

Owns what is pickled by name: a function or class that a reload has replaced is another object, and
the name is what counts on both sides. Never runs a task (`_worker`) or chooses who does (`_pool`).
"""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import FunctionType
from typing import Any

from .._reload import loader
from .._runtime import generations
from . import worker


class Task:
    """A call on its way to a worker: pickled at once, so that a mistake shows where it was made."""

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: Any, request: int | None) -> None:
        self.name = f"{getattr(fn, '__module__', '?')}.{getattr(fn, '__qualname__', repr(fn))}"
        buffer = io.BytesIO()
        _ByName(buffer, pickle.HIGHEST_PROTOCOL).dump((fn, args, kwargs))
        self.payload = buffer.getvalue()
        self.future: Future[Any] = Future()
        # Whose it is: what it prints belongs there.
        self.request = request
        # For how long it has waited for a worker, and one has been at it, once it has ended.
        self.waited_s = self.ran_s = 0.0
        self._made = time.monotonic()

    def end(self, sent: float) -> None:
        """Note that its answer came now; it was given to its worker at `sent`."""
        self.waited_s, self.ran_s = sent - self._made, time.monotonic() - sent
        self.payload = b""  # it may be large, and the request may go on for long


class _ByName(pickle.Pickler):
    """Pickles the user's functions and classes by name.

    A function captured before a reload is not the object that its name stands for afterwards, and
    plain pickle refuses it; the worker has code of its own, so the name is what counts.
    """

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, (FunctionType, type)):
            return NotImplemented
        if "<" in obj.__qualname__:
            raise TypeError(
                f"a pool worker cannot find `{obj.__qualname__}` by name; "
                "move it to the top level of a module"
            )
        spec = obj.__module__ and loader.find_user_module(obj.__module__)
        return (worker.resolve, (obj.__module__, obj.__qualname__)) if spec else NotImplemented


def load_answer(payload: bytes) -> tuple[Any, BaseException | None]:
    """Unpickle a worker's answer; the user's classes are those of the serving generation."""
    try:
        answer: tuple[Any, BaseException | None] = _FromServing(io.BytesIO(payload)).load()
    except BaseException as error:
        return None, error
    return answer


class _FromServing(pickle.Unpickler):
    """Finds the user's classes where they serve: `sys.modules` may be in the middle of a reload."""

    def find_class(self, module: str, name: str) -> Any:
        found: Any = generations.current().modules.get(module)
        if found is None:
            return super().find_class(module, name)
        for part in name.split("."):
            found = getattr(found, part)
        return found
