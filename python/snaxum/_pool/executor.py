"""The interface of the pool: the executor that users see, what the server needs, the errors.

Owns what both kinds of pool (`pool`, `dask_pool`) and the view of a request have in common. Never
runs a task.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from typing import Any

from .._runtime import leases
from ..http_errors import HTTPError
from .task import Task
from .worker import call_each


class ServerExecutor(Executor):
    """An executor that belongs to the server: neither `shutdown` nor a `with` block ends it."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Pass `isinstance(pool, ProcessPoolExecutor)`, which annotations and libraries rely on.

        A subclass would have to run its `__init__`, which makes queues, pipes and threads that are
        not used here, or skip it, and break with the next change of the standard library. It is not
        an ABC, so it registers no virtual subclass. `unittest.mock` uses the same property.
        """
        return ProcessPoolExecutor

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Like `map(fn, *iterables)`, in the workers, with `chunksize` calls a task."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        calls = zip(*iterables)
        chunks = iter(lambda: list(islice(calls, chunksize)), [])
        results = super().map(partial(call_each, fn), chunks, timeout=timeout)
        return chain.from_iterable(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the pool is the server's, and outlives every handler."""


class TaskPool(ServerExecutor):
    """A pool of the server, whatever runs its tasks; a handler gets a view (`request_pool`).

    `submit` and `map` work as in `concurrent.futures.ProcessPoolExecutor`.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker; return a `Future`.

        Raises TypeError for a function that a worker could not find by name.
        """
        return self.run(Task(fn, args, kwargs, leases.request_id()))

    @abstractmethod
    def run(self, task: Task) -> Future[Any]:
        """Run `task` once a worker is free; return its future.

        Raises PoolUnavailable without workers, RuntimeError while the server shuts down.
        """

    @abstractmethod
    def warm_up(self) -> None:
        """Start the workers, or connect to them, in the background."""

    @abstractmethod
    def kill_tasks(self, tasks: Iterable[Task]) -> None:
        """End these tasks, as far as they run, to free their workers."""

    @abstractmethod
    def close(self, timeout: float) -> None:
        """Finish the running tasks, cancel the others, and end everything within `timeout` s.

        A task of a cancelled request is not finished.
        """

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the server is shutting down."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """Describe the pool for the console: its workers, its tasks, and the newest exits."""


class PoolUnavailable(BrokenProcessPool, HTTPError):
    """No worker starts. A handler that does not catch it responds with 503."""

    def __init__(self, problem: str) -> None:
        HTTPError.__init__(self, 503, problem, {"retry-after": "1"})

    def __reduce__(self) -> tuple[Any, ...]:
        return (PoolUnavailable, (self.detail,))


def died(task: str, *, is_replaced: bool = True) -> BrokenProcessPool:
    """Return the error of a task whose worker has died."""
    end = "; it is replaced" if is_replaced else ""
    return BrokenProcessPool(f"the pool worker that ran {task} died{end}")


def shut_down() -> RuntimeError:
    """Return the error of a task that has not ended at the stop of the server."""
    return RuntimeError("the server shut down before the task ended")
