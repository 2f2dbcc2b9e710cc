"""The worker's side of the pool: loads the server's code, runs one task at a time.

Owns a worker process from its first message to its end. Its code is the code that the server has
validated; changes come with the next task. Never serves a request.
"""

from __future__ import annotations

import contextvars
import importlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from multiprocessing.connection import Connection
from typing import Any

from .._core.objects import type_name
from .._debug import output as debug_output
from .._debug import redact
from .._reload import bytecode, import_hook, loader, user_paths
from .._reload.env_file import replace_variables
from .._reload.graph import Graph
from .._reload.source_cache import SourceCache
from .._runtime import generations, interpreter, registration, streams
from . import output

# The program of a worker process. It travels as text, because the framework cannot be imported
# before its first lines have run. The rest of what it needs is the first message of `calls`.
BOOT = """
def boot(calls, replies, stderr, path, directory):
    given = calls.recv()
    sources = given["sources"]
    if sources:  # not an installed package
        namespace = {"__name__": "_snaxum_embed"}
        exec(compile(sources["_embed.py"], "<snaxum>/_embed.py", "exec"), namespace)
        namespace["install"](sources, sources.__getitem__, given["compiled"])
    from snaxum._pool import worker
    worker.start(given["roots"], given["project"], given["secret_names"], path, directory)
    worker.set_device(given["device"])
    worker.serve(calls, replies, stderr, given["raw_output"])
boot(calls, replies, stderr, path, directory)
"""
# The first message of `replies`: the worker accepts tasks.
READY = b"ready"

# How long the last printed lines of a closed pool wait for a reader.
LAST_LINES_S = 0.1

_sources = SourceCache()
# The files whose text came from the server.
_sent_by_server: set[str] = set()
# The part of `os.environ` that comes from the file of environment variables.
_variables: dict[str, str] = {}


def start(
    roots: list[str], project: str, secret_names: list[str], path: list[str], directory: str
) -> None:
    """Make this process a worker, which ignores Ctrl-C and exits with its parent.

    The values of `secret_names` are masked in its output, too. `path` is the `sys.path` of the
    server, `directory` its working directory.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent blocked SIGINT while it started this process, so that none arrived until now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=exit_with_parent, name="parent-watch", daemon=True).start()
    interpreter.prefer_standard_library(roots)
    sys.path[:] = path
    os.chdir(directory)
    redact.add_words(secret_names)
    user_paths.configure(roots, project)
    generations.stage(generations.NullStaging())
    registration.install()
    bytecode.install()
    import_hook.install()
    loader.install(_sources)


def set_device(number: int | None) -> None:
    """Set the number that a worker of one handler has among its workers."""
    from .. import worker

    worker.device = number


def serve(
    calls: Connection, replies: Connection, stderr: int | None, raw_output: bool | None
) -> None:
    """Run one task after the other, until the pool is closed.

    `stderr` is the server's standard error. The lines that tasks print go to the server, too,
    unless `raw_output` is `None`.
    """
    sys.stderr.flush()
    if stderr is not None:  # so far, the errors have gone to a file
        os.dup2(stderr, 2)
        os.close(stderr)
    streams.install()
    try:
        replies.send_bytes(READY)
    except BrokenPipeError:
        return  # the server has ended
    send: Callable[[bytes], None] = replies.send_bytes
    if raw_output is not None:
        sender = output.Sender(replies)
        debug_output.install(sender.send_line, is_raw=raw_output)
        send = sender.send_reply

    def close_pipes() -> None:
        calls.close()
        replies.close()

    # With an open copy in another process, the pool would not see the end of this process.
    os.register_at_fork(after_in_child=close_pipes)
    with suppress(EOFError, BrokenPipeError):
        while True:
            reply = run(calls.recv_bytes())
            debug_output.end_lines()
            send(reply)
    streams.end(LAST_LINES_S)


# Generation, changed files, removed files, modules that have run again, variables.
Update = tuple[int, dict[str, bytes], list[str], list[str], dict[str, str]]


def run(payload: bytes) -> bytes:
    """Run one task, perhaps after an update of the code; return its reply."""
    return run_task(payload, nullcontext)


def run_task(payload: bytes, loading: Callable[[], AbstractContextManager[None]]) -> bytes:
    """Run one task; return the pickled pair of result and exception.

    The user's functions and classes are found in the context `loading`. The server unpickles the
    pair for the waiting caller: a failure there is that task's error.
    """
    result, error = None, None
    try:
        with loading():
            function, args, kwargs = pickle.loads(payload)
        result = run_after(*args) if function is run_after else _call(function, args, kwargs)
    except BaseException as raised:
        error = picklable(raised)
    with loading():
        try:
            return pickle.dumps((result, error), pickle.HIGHEST_PROTOCOL)
        except BaseException as raised:
            return pickle.dumps((None, picklable(raised)), pickle.HIGHEST_PROTOCOL)


def run_after(update: Update, payload: bytes) -> Any:
    """Apply `update` to the code, then run a task; return its result."""
    apply_update(*update)
    return _call(*pickle.loads(payload))


def _call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call in a context of its own: the next task may belong to another request."""
    return contextvars.copy_context().run(function, *args, **kwargs)


def call_each(function: Callable[..., Any], calls: list[tuple[Any, ...]]) -> list[Any]:
    """Run one chunk of `Pool.map`."""
    return [function(*args) for args in calls]


def picklable(error: BaseException) -> BaseException:
    """Return an exception that can be pickled, with the worker's traceback as its cause."""
    # The exception may raise whatever it is asked for.
    try:
        from .._debug.traceback import mask_printed  # large, and rarely needed

        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        text = mask_printed(text)
    except BaseException:
        text = f"{type_name(type(error))}\n"
    try:
        if type(pickle.loads(pickle.dumps(error))) is not type(error):
            raise TypeError("pickling changes its type")
        carried: BaseException = error
    except BaseException:
        carried = RuntimeError(f"{type_name(type(error))}: {_message(error)}")
    return _PicklableError(carried, text)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as raised:
        return f"<str raised {type_name(type(raised))}>"


class WorkerTraceback(Exception):
    """The cause of an exception that a pool worker raised: the lines of its traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(f'\n"""\n{text}"""')


class _PicklableError(Exception):
    """Pickles as the exception in it, with the worker's traceback as its cause."""

    def __init__(self, error: BaseException, text: str) -> None:
        self.error, self.text = error, text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_error, (self.error, self.text))


def _rebuild_error(error: BaseException, text: str) -> BaseException:
    error.__cause__ = WorkerTraceback(text)
    return error


def resolve(module: str, qualname: str) -> Any:
    """Find a user's function or class by name, in the current code of this process."""
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


def apply_update(
    generation: int,
    changed: dict[str, bytes],
    gone: list[str],
    rerun: list[str],
    variables: dict[str, str],
) -> None:
    """Drop the modules that the change reaches; they load from the server's text when imported."""
    staging = generations.staging()
    assert staging is not None, "`start` has set it"
    replace_variables(_variables, variables)
    _variables.clear()
    _variables.update(variables)
    _sources.preload(changed)
    for path in gone:
        _sources.forget(path)
    _sent_by_server.difference_update(gone)
    _sent_by_server.update(changed)
    other = {*changed, *gone}
    # Modules that only workers have loaded come from the disk, and may have changed there.
    for node in staging.nodes.values():
        before = node.source
        if before is not None and node.path not in _sent_by_server:
            after = _sources.refresh(node.path)
            if after is None or after.digest != before.digest:
                other.add(node.path)
    seeds = {name for name, node in staging.nodes.items() if node.path in other}
    seeds.update(name for name in rerun if name in staging.nodes)
    for name in Graph(staging.nodes.values()).dependents(seeds):
        sys.modules.pop(name, None)
        staging.nodes.pop(name, None)


def exit_with_parent() -> None:
    """Wait for the end of the parent process, then end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
