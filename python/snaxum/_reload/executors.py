"""Worker processes of user code: after a reload, new tasks get processes with the new code.

Owns the wrappers around `ProcessPoolExecutor.submit` and `multiprocessing.Pool`, and the pickling
by name for both; the first reload installs them. Such a process has the code of the time of its
start, and finds functions there by name. So with its next task an executor gets new processes; the
tasks that it has already end in the old ones. loky's shared executor, which joblib uses, is made
again with its next use. The report names all of them. A `multiprocessing.Process` runs what it was
started for, and stays as it is.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from .._core.objects import namespace, type_name
from .._runtime import generations
from .._runtime.generations import Generation
from . import loader

_LOKY = ("loky.reusable_executor", "joblib.externals.loky.reusable_executor")


class _Processes:
    """The processes of an executor: the generation of their code, and a lock for their renewal."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        # Whether a report has named it.
        self.is_reported = False
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


def on_reload(before: Generation) -> list[str]:
    """Note the executors whose processes have older code, after `before` was replaced.

    Forgets loky's executor.
    """
    serving = generations.current()
    newest = max(serving.ran.values(), default=0)
    renewed: list[str] = []
    ended: list[str] = []
    for executor in _with_processes():
        processes = _known.setdefault(executor, _Processes(0))
        if processes.generation >= newest or processes.is_reported:
            continue
        processes.is_reported = True
        kept = (f"the kept value {key!r}" for key, k in serving.kept.items() if k.value is executor)
        name = next(kept, None) or _name_in(serving.modules, executor)
        if name is None and (old := _name_in(before.modules, executor)) is not None:
            ended.append(old)
        else:
            renewed.append(name or f"a {type_name(type(executor))}")
    for name in _LOKY:
        # A `Parallel` that runs refers to its executor; without users, an executor ends itself.
        module: Any = sys.modules.get(name)
        if module is not None and getattr(module, "_executor", None) is not None:
            module._executor = module._executor_kwargs = None
            renewed.append("the shared executor of loky")
    return [
        *_list("executors that get processes with the new code for their next task", renewed),
        *_list("executors that end with the replaced run of their module", ended),
    ]


def _with_processes() -> Iterator[Any]:
    """Yield the executors that have started processes."""
    process: Any = sys.modules.get("concurrent.futures.process")
    for thread in list(getattr(process, "_threads_wakeups", ())):
        if (executor := thread.executor_reference()) is not None:
            yield executor
    if "multiprocessing.pool" in sys.modules:
        from multiprocessing import util
        from multiprocessing.pool import Pool, ThreadPool

        for finalizer in list(util._finalizer_registry.values()):  # type: ignore[attr-defined]
            pool = getattr(finalizer, "_weakref", lambda: None)()
            if issubclass(type(pool), Pool) and not issubclass(type(pool), ThreadPool):
                yield pool


def _name_in(modules: Mapping[str, ModuleType], executor: object) -> str | None:
    """Name the global variable that is, or contains, an executor."""
    for module_name, module in modules.items():
        for name, value in list(namespace(module).items()):
            parts: Iterable[object] = ()
            if type(value) in (list, tuple):
                parts = value
            elif type(value) is dict:
                parts = list(value.values())
            if value is executor or any(part is executor for part in parts):
                return f"`{module_name}.{name}`"
    return None


def _list(what: str, names: Iterable[str]) -> Iterator[str]:
    counted = [f"{name} ({n})" if n > 1 else name for name, n in Counter(names).items()]
    if counted:
        yield f"{what}: {', '.join(counted)}"


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
    if not loader.is_user_module_name(module):
        return NotImplemented
    import pkgutil

    return pkgutil.resolve_name, (f"{module}:{name}",)


def _wrap(
    module: str, name: str, method: str, renew: Callable[[Any, Callable[..., None]], bool]
) -> None:
    """Call `renew` before `method` of a class, where the module has been imported.

    It gets the executor, and the function that initialises it again.
    """
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
            if processes.generation < newest and renew(self, functools.partial(init, self)):
                processes.generation, processes.is_reported = newest, False
            return original(self, *args, **kwargs)

    cls.__init__ = __init__
    setattr(cls, method, wrapper)


def _newest_code() -> int:
    """Return the number of the newest generation whose load ran a module."""
    if generations.is_loading():
        return generations.current().number + 1
    return max(generations.current().ran.values(), default=0)


def _renew_executor(executor: Any, init: Callable[..., None]) -> bool:
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
        init(
            executor._max_workers,
            executor._mp_context,
            executor._initializer,
            executor._initargs,
            **kwargs,
        )
    return True


def _renew_pool(pool: Any, init: Callable[..., None]) -> bool:
    """Give a `multiprocessing.Pool` new processes; the old ones end after their tasks."""
    from multiprocessing.pool import ThreadPool

    if issubclass(type(pool), ThreadPool):
        return True  # threads have the new code
    if pool._state != "RUN" or not hasattr(pool, "_inqueue"):
        return False
    old = object.__new__(type(pool))
    old.__dict__.update(pool.__dict__)
    old.close()
    init(old._processes, old._initializer, old._initargs, old._maxtasksperchild, old._ctx)
    return True
