"""Reads what a request does at this moment: the stack of its thread, or of its suspended task.

Owns the walk, from another thread. Never stops the request, and never runs its code.
"""

from __future__ import annotations

import asyncio
import gc
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

from .._core import own_files
from .profile_tree import MAX_FILES, CallStack, kind_of

# The frames of a chain of coroutines that are read.
MAX_AWAITED = 200
# The most frames of a thread that are read, from the innermost.
MAX_READ = 2000

_OUTER_FILES = ("/threading.py", "/selectors.py", "/contextvars.py")
_outer: dict[str, bool] = {}


def of_thread(frame: FrameType) -> CallStack:
    """Return the stack that ends with a frame, from the first call outside the framework on."""
    places: CallStack = []
    walked: FrameType | None = frame
    while walked is not None and len(places) < MAX_READ:
        places.append(_place(walked.f_code, walked))
        walked = walked.f_back
    places.reverse()
    return _inner(places)


def of_task(task: asyncio.Task[Any]) -> CallStack:
    """Return the coroutines of a suspended task, the outermost first."""
    places: CallStack = []
    awaited: object = task.get_coro()
    for _ in range(MAX_AWAITED):
        frame, next_one = _step(awaited)
        if frame is not None:
            places.append(_place(frame.f_code, frame))
        if next_one is None:
            break
        awaited = next_one
    return _inner(places)


def _step(awaited: object) -> tuple[FrameType | None, object]:
    """Return the frame of something that is awaited, and what that awaits."""
    frame: FrameType | None = None
    if type(awaited) is CoroutineType:
        frame, inner = awaited.cr_frame, awaited.cr_await
    elif type(awaited) is GeneratorType:
        frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
        if inner is None and frame is not None and _is_own(frame.f_code):
            inner = frame.f_locals.get("steps")  # it drives the handler itself: `TimedAwaitable`
    elif type(awaited) is AsyncGeneratorType:
        frame, inner = awaited.ag_frame, awaited.ag_await
    else:
        # A step of an asynchronous generator, and a wrapper of a coroutine, show what they run to
        # the garbage collector only.
        kinds = (AsyncGeneratorType, CoroutineType)
        if type(awaited).__name__ in _WRAPPERS:
            return None, next((it for it in gc.get_referents(awaited) if type(it) in kinds), None)
        return None, None
    return frame, inner


_WRAPPERS = frozenset(
    ["async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"]
)


def _place(code: CodeType, frame: FrameType) -> tuple[CodeType, int]:
    # The line of a frame takes a walk through a table.
    is_user = kind_of(code.co_filename) == "user"
    return code, (frame.f_lineno or 0) if is_user else 0


def _is_own(code: CodeType) -> bool:
    return code.co_filename.startswith(own_files.PREFIXES)


def _inner(places: CallStack) -> CallStack:
    """Leave out the calls before the first one outside the framework."""
    for index, (code, _) in enumerate(places):
        if not _is_outer(code.co_filename):
            return places[index:]
    return []


def _is_outer(file: str) -> bool:
    found = _outer.get(file)
    if found is None:
        is_standard = file.endswith(_OUTER_FILES) or "/asyncio/" in file
        is_outer = kind_of(file) == "framework" or file.startswith("<frozen ")
        if len(_outer) >= MAX_FILES:
            _outer.clear()
        found = _outer[file] = is_outer or is_standard
    return found
