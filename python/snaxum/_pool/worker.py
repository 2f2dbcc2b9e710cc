"""The pool worker's side: loads the parent's code, runs one task at a time.

Owns a worker process from its first message to its end. The code it runs is the code that the
parent has validated, and comes from there with the next task. Never serves a request.
"""

from __future__ import annotations

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
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from .._debug import output as debug_output
from .._debug import redact
from .._reload import import_hook, loader
from .._reload.env_file import replace
from .._reload.graph import Graph
from .._reload.source_cache import Sources
from .._runtime import generations, interpreter
from . import output

# What a worker runs. It travels as text, because nothing of the framework can be imported there
# before its first lines have run.
BOOT = """
namespace = {"__name__": "_snaxum_embed"}
exec(compile(sources["_embed.py"], "<snaxum>/_embed.py", "exec"), namespace)
namespace["install"](sources, sources.__getitem__, compiled)
from snaxum._pool import worker
worker.start(roots, project, secret_names)
worker.serve(calls, answers, raw_output)
"""

_sources = Sources()
# The files whose text came from the parent.
_given: set[str] = set()
# What is in `os.environ` from the file of environment variables.
_variables: dict[str, str] = {}


def start(roots: list[str], project: str, secret_names: list[str]) -> None:
    """Make this process a worker: deaf to Ctrl-C, and gone when its parent is.

    `secret_names` are further names of what its output is not to show.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent blocked SIGINT while it started us, so that none could come before this line.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_die_with_parent, name="parent-watch", daemon=True).start()
    interpreter.set_up_streams()
    redact.add_words(secret_names)
    loader.configure(roots, project)
    generations.stage(generations.NullStaging())
    import_hook.install()
    loader.install(_sources)


def serve(calls: Connection, answers: Connection, raw_output: bool | None) -> None:
    """Run one task after the other, until the pool is closed.

    What they print is told to the server, unless `raw_output` is None.
    """
    send: Callable[[bytes], None] = answers.send_bytes
    if raw_output is not None:
        sender = output.Sender(answers)
        debug_output.install(sender.tell, is_raw=raw_output)
        send = sender.answer

    def let_go() -> None:
        calls.close()
        answers.close()

    # A process that outlives this one would keep the pool from hearing of its end.
    os.register_at_fork(after_in_child=let_go)
    with suppress(EOFError, BrokenPipeError):
        while True:
            answer = run(calls.recv_bytes())
            debug_output.end_lines()
            send(answer)


News = tuple[int, dict[str, bytes], list[str], list[str], dict[str, str]]


def run(payload: bytes) -> bytes:
    """Run one task; returns the pickled pair of result and exception.

    It is unpickled where it was waited for: what cannot be unpickled there is that task's error.
    """
    result, error = None, None
    try:
        function, args, kwargs = pickle.loads(payload)
        result = function(*args, **kwargs)
    except BaseException as raised:
        error = _portable(raised)
    try:
        return pickle.dumps((result, error), pickle.HIGHEST_PROTOCOL)
    except Exception as raised:
        return pickle.dumps((None, _portable(raised)), pickle.HIGHEST_PROTOCOL)


def run_after(news: News, payload: bytes) -> Any:
    """Take over `news` of the code, and run a task; returns its result."""
    _follow(*news)
    function, args, kwargs = pickle.loads(payload)
    return function(*args, **kwargs)


def _portable(error: BaseException) -> BaseException:
    """Give an exception that survives the way, with the worker's traceback as its cause."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        if type(pickle.loads(pickle.dumps(error))) is not type(error):
            raise TypeError("it becomes something else on the way")
        carried: BaseException = error
    except Exception:
        carried = RuntimeError(f"{type(error).__name__}: {error}")
    return _Carried(carried, text)


class WorkerTraceback(Exception):
    """The cause of an exception that a pool worker raised: the lines of its traceback there."""

    def __init__(self, text: str) -> None:
        super().__init__(f'\n"""\n{text}"""')


class _Carried(Exception):
    """Pickles as the exception it carries, with the worker's traceback as its cause."""

    def __init__(self, error: BaseException, text: str) -> None:
        self.error, self.text = error, text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_arrived, (self.error, self.text))


def _arrived(error: BaseException, text: str) -> BaseException:
    error.__cause__ = WorkerTraceback(text)
    return error


def resolve(module: str, qualname: str) -> Any:
    """Find a user's function or class by name, in the code that this process has now."""
    found: Any = importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


def _follow(
    generation: int,
    changed: dict[str, bytes],
    gone: list[str],
    ran_again: list[str],
    variables: dict[str, str],
) -> None:
    """Drop the modules that the change reaches; they load from the parent's text when asked for."""
    staging = generations.staging()
    assert staging is not None, "`start` has set it"
    replace(_variables, variables)
    _variables.clear()
    _variables.update(variables)
    _sources.preload(changed)
    for path in gone:
        _sources.forget(path)
    _given.difference_update(gone)
    _given.update(changed)
    other = {*changed, *gone}
    # What only workers have loaded comes from the disk, and may be another there by now.
    for node in staging.nodes.values():
        before = node.source
        if before is not None and node.path not in _given:
            after = _sources.refresh(node.path)
            if after is None or after.digest != before.digest:
                other.add(node.path)
    seeds = {name for name, node in staging.nodes.items() if node.path in other}
    seeds.update(name for name in ran_again if name in staging.nodes)
    for name in Graph(staging.nodes.values()).cone(seeds):
        sys.modules.pop(name, None)
        staging.nodes.pop(name, None)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
