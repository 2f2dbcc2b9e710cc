"""Worker processes of user code: after a reload, new tasks get processes with the new code.

Owns the wrappers around `ProcessPoolExecutor.submit` and `multiprocessing.Pool`, and the pickling
by name for both; the first reload installs them. Such a process has the code of the time of its
start, and finds functions there by name. So with its next task an executor gets new processes; the
tasks that it has already end in the old ones. loky's shared executor, which joblib uses, is made
again with its next use. A `multiprocessing.Process` runs what it was started for, and stays as it
is.
"""

from __future__ import annotations

import functools
import pkgutil
import sys
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from .._runtime import generations
from . import loader

_LOKY = ("loky.reusable_executor", "joblib.externals.loky.reusable_executor")


class _Processes:
    """The processes of an executor: the generation of their code, and a lock for their renewal."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.lock = threading.RLock()


_known: WeakKeyDictionary[Any, _Processes] = WeakKeyDictionary()
_wrapped: set[type] = set()


def before_reload() -> None:
    """Install the wrappers, where the wrapped modules have been imported."""
    _wrap("concurrent.futures.process", "ProcessPoolExecutor", "submit", _renew_executor)
    _wrap("multiprocessing.pool", "Pool", "_check_running", _renew_pool)
    reduction: Any = sys.modules.get("multiprocessing.reduction")
    if reduction is not None:
        reduction.ForkingPickler.reducer_override = _by_name


def on_reload() -> None:
    """Forget loky's executor: a generation was published."""
    for name in _LOKY:
        # A `Parallel` that runs refers to its executor; without users, an executor ends itself.
        module: Any = sys.modules.get(name)
        if module is not None and getattr(module, "_executor", None) is not None:
            module._executor = module._executor_kwargs = None


def _by_name(_: object, obj: Any) -> Any:
    """Pickle functions and classes of user modules by name.

    While and after a module runs again, the name of a function from before refers to another
    object, and plain pickle refuses it. The other process has code of its own.
    """
    if type(obj) is not FunctionType and not issubclass(type(obj), type):
        return NotImplemented
    module, name = obj.__module__, obj.__qualname__
    if type(module) is not str or "<" in name:
        return NotImplemented
    # While it runs again, it is not in `sys.modules`.
    if module not in generations.current().modules and not loader.is_user_module_name(module):
        return NotImplemented
    return pkgutil.resolve_name, (f"{module}:{name}",)


def _wrap(module: str, name: str, method: str, renew: Callable[[Any], bool]) -> None:
    """Call `renew` before `method` of a class, where the module has been imported."""
    cls: Any = getattr(sys.modules.get(module), name, None)
    if cls is None or cls in _wrapped or not hasattr(cls, method):
        return
    _wrapped.add(cls)
    init, original = cls.__init__, getattr(cls, method)

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        _known[self] = _Processes(_newest_code())

    @functools.wraps(original)
    def wrapper(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        # An unknown one is older than the first reload.
        processes = _known.setdefault(self, _Processes(0))
        with processes.lock:
            newest = _newest_code()
            if processes.generation < newest and renew(self):
                processes.generation = newest
            return original(self, *args, **kwargs)

    cls.__init__ = __init__
    setattr(cls, method, wrapper)


def _newest_code() -> int:
    """Return the number of the newest generation whose load ran a module."""
    if generations.is_loading():
        return generations.current().number + 1
    return max(generations.current().ran.values(), default=0)


def _renew_executor(executor: Any) -> bool:
    """Give an executor new processes; the old ones end after their tasks."""
    old = executor._executor_manager_thread
    if old is None:
        return True  # no process has started
    with executor._shutdown_lock:
        if executor._shutdown_thread or executor._broken:
            return False
        # As if the executor had been deleted: its thread ends after the last task.
        old.executor_reference = lambda: None
        executor._executor_manager_thread_wakeup.wakeup()
        kwargs = {}
        if hasattr(executor, "_max_tasks_per_child"):  # Python 3.11
            kwargs["max_tasks_per_child"] = executor._max_tasks_per_child
        _original_init(executor)(
            executor,
            executor._max_workers,
            executor._mp_context,
            executor._initializer,
            executor._initargs,
            **kwargs,
        )
    return True


def _renew_pool(pool: Any) -> bool:
    """Give a `multiprocessing.Pool` new processes; the old ones end after their tasks."""
    if pool._state != "RUN" or not hasattr(pool, "_inqueue"):
        return False
    old = object.__new__(type(pool))
    old.__dict__.update(pool.__dict__)
    old.close()
    _original_init(pool)(
        pool,
        old._processes,
        old._initializer,
        old._initargs,
        old._maxtasksperchild,
        old._ctx,
    )
    return True


def _original_init(executor: Any) -> Any:
    """Return the `__init__` of the standard library, also for a subclass with another one."""
    cls: Any = next(cls for cls in type(executor).__mro__ if cls in _wrapped)
    return cls.__init__.__wrapped__
