"""All that Rust calls: start, dispatch, reload, status, stop.

Owns the way of a request through Python: match, run in the handler's mode, answer. Plain data
crosses; `Exchange` is the one object that Rust lends, a request and the means to answer it. Never
reads a socket and never raises into Rust on behalf of a handler.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from . import _interpreter, _loader, _loop, _pool, _reload, _traceback, state
from .http import HTTPError, Request, to_response
from .routing import Found, ImpliedOptions, MethodNotAllowed, Route, RouteTable

_log = logging.getLogger("snaxum")

# Deep recursion in a handler should end in RecursionError, not in a crash of the process.
THREAD_STACK_BYTES = 16 * 1024 * 1024
# Handlers that wait for the pool have threads of their own: they hold up nobody.
POOL_THREADS = 64
# So have the streams of `def` handlers, one each; more streams at once are refused.
STREAM_THREADS = 64
# And async streams whose clients read too slowly.
SLOW_CLIENT_THREADS = 16


class BodyStream(Protocol):
    """The sending end of a streamed answer; implemented in Rust."""

    def send(self, chunk: bytes) -> bool:
        """Wait for room and send; False when the client is gone."""

    def try_send(self, chunk: bytes) -> bool | None:
        """Send if there is room now; None when there is none, False when the client is gone."""

    def finish(self) -> None:
        """End the answer as complete."""


class Exchange(Protocol):
    """One request and its answer; implemented in Rust. Exactly one of the last three is called."""

    id: int
    method: str
    path: str
    query: str

    def headers(self) -> list[tuple[str, str]]: ...
    def body(self) -> bytes: ...
    def cancelled(self) -> bool: ...
    def returned(self) -> None: ...
    def respond(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None: ...
    def stream(
        self, generation: int, route: str | None, status: int, headers: list[tuple[str, str]]
    ) -> BodyStream: ...
    def fail(
        self,
        generation: int,
        route: str | None,
        status: int,
        detail: str,
        headers: list[tuple[str, str]],
        traceback: bytes | None,
    ) -> None: ...


class Runtime:
    """What lives as long as the server: reloader, loop, pool, threads that may wait."""

    def __init__(
        self,
        options: dict[str, Any],
        framework: dict[str, str],
        wake_fd: int,
        cancelled: Callable[[], list[int]],
    ) -> None:
        self.with_locals: bool = options["dev"]
        self.warm_pool: bool = not options["load_only"]
        self.max_queue: int = options["max_queue"]
        root, project = options["python_dir"], options["project_dir"]
        _loader.configure([root], project)
        if root not in sys.path:
            sys.path.insert(0, root)
        threading.stack_size(THREAD_STACK_BYTES)
        self.loop = _loop.LoopThread(wake_fd, cancelled, self.give_up)
        self.pool = _pool.Pool(options["pool_workers"], framework, root, project)
        self.waiting = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="snaxum-pool")
        self.streaming = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="snaxum-stream")
        self.slow = ThreadPoolExecutor(SLOW_CLIENT_THREADS, thread_name_prefix="snaxum-slow")
        # Ids of the requests that hold or await a thread of the first two.
        self.at_pool: set[int] = set()
        self.pools: dict[int, _pool.RequestPool] = {}
        # What a pool task gets beyond its request's own time.
        self.grace: float = options["request_timeout_s"] or 30.0
        self.at_stream: set[int] = set()
        self.reloader = _reload.Reloader(root, options["modules"], with_locals=self.with_locals)

    def give_up(self, request_id: int) -> None:
        """Let go of what a request that nobody waits for has in the pool."""
        pool = self.pools.get(request_id)
        if pool is not None:
            pool.give_up()


_runtime: Runtime | None = None


def start(
    options: str, framework: dict[str, str], wake_fd: int, cancelled: Callable[[], list[int]]
) -> bytes:
    """Make everything that serves, load the user's modules, and report as JSON."""
    global _runtime
    settings = json.loads(options)
    if settings["adopted"]:
        _interpreter.adopt(settings["venv"], settings["build_python"])
    _interpreter.set_up_streams()
    state.publish(state.Generation(0, RouteTable([])))
    _runtime = Runtime(settings, framework, wake_fd, cancelled)
    if settings["load_only"]:
        return _aloud_on_stderr(reload)
    return reload()


def reload(paths: list[str] | None = None, is_partial: bool = False) -> bytes:
    """Load what the change of `paths` concerns; None is everything. Gives the report as JSON."""
    runtime = _running()
    report = runtime.reloader.load()
    if runtime.warm_pool and any(route.use_process_pool for route in state.current().routes):
        # The first pool request should not pay for the start of a process.
        threading.Thread(target=runtime.pool.warm_up, daemon=True).start()
    return _json(vars(report))


def pool_status() -> bytes:
    """Describe the pool, as JSON."""
    return _json(_running().pool.status())


def stop(timeout: float) -> None:
    """Stop loop and pool, run what `atexit` holds, flush. The interpreter itself stays."""
    runtime = _running()
    runtime.loop.stop()
    for threads in (runtime.waiting, runtime.streaming, runtime.slow):
        threads.shutdown(wait=False, cancel_futures=True)
    runtime.pool.close(timeout)
    _stop_resource_tracker()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # the other end is gone, or the user closed it


def dispatch(exchange: Exchange) -> None:
    """Answer one request, or hand it to the loop or a thread that may wait."""
    generation = state.current()
    found = generation.table.match(exchange.method, exchange.path)
    if type(found) is Found:
        route = found.route
        request = Request(exchange, found.params)
        if route.use_process_pool:
            _aside(exchange, generation, route, request)
        elif route.is_async:
            _running().loop.spawn(
                exchange.id, lambda: _answer_async(exchange, generation, route, request)
            )
        else:
            _answer(exchange, generation, route, request)
    elif type(found) is MethodNotAllowed:
        allow = ", ".join(found.allow)
        detail = f"{exchange.path} does not answer {exchange.method}; it answers {allow}"
        exchange.fail(generation.number, None, 405, detail, [("allow", allow)], None)
    elif type(found) is ImpliedOptions:
        headers = [("allow", ", ".join(found.allow))]
        exchange.respond(generation.number, None, 200, headers, b"")
    elif generation.broken:
        name, failure = next(iter(generation.broken.items()))
        detail = f"no route that loaded has this path; `{name}` did not load: {failure['type']}"
        exchange.fail(generation.number, None, 503, detail, [("retry-after", "1")], None)
    else:
        exchange.fail(generation.number, None, 404, f"no route for {exchange.path}", [], None)


def _json(value: object) -> bytes:
    """Encode for Rust. What no UTF-8 can hold, such as half a surrogate pair, becomes `?`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _running() -> Runtime:
    assert _runtime is not None, "Rust calls `start` first"
    return _runtime


def _aside(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request
) -> None:
    runtime = _running()
    if len(runtime.at_pool) >= runtime.max_queue:
        detail = "too many requests wait for the process pool"
        exchange.fail(generation.number, route.id, 503, detail, [("retry-after", "1")], None)
        return
    runtime.at_pool.add(exchange.id)
    pool = runtime.pools[exchange.id] = _pool.RequestPool(runtime.pool, runtime.grace)

    def run() -> None:
        try:
            if not exchange.cancelled():
                _answer(exchange, generation, route, request, pool)
        finally:
            runtime.pools.pop(exchange.id, None)
            runtime.at_pool.discard(exchange.id)

    runtime.waiting.submit(run)


def _answer(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request, *more: Any
) -> None:
    try:
        result = route.handler(request, *more)
        exchange.returned()
        status, headers, body = to_response(result).parts()
    except BaseException as error:
        _fail(exchange, generation, route, error)
        return
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
        return
    if isinstance(body, AsyncIterator):
        chunks, stream = body, exchange.stream(generation.number, route.id, status, headers)
        _running().loop.spawn(exchange.id, lambda: _send_async(stream, chunks, route))
    else:
        _stream(exchange, generation, route, status, headers, body)


async def _answer_async(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request
) -> None:
    if exchange.cancelled():
        return  # before it began
    try:
        result = await route.handler(request)
        exchange.returned()
        status, headers, body = to_response(result).parts()
    except asyncio.CancelledError as error:
        if exchange.cancelled():
            raise  # the client went away: nobody waits for an answer
        _fail(exchange, generation, route, error)
        return
    except BaseException as error:
        _fail(exchange, generation, route, error)
        return
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
        return
    if isinstance(body, AsyncIterator):
        stream = exchange.stream(generation.number, route.id, status, headers)
        await _send_async(stream, body, route)
    else:
        _stream(exchange, generation, route, status, headers, body)


def _fail(
    exchange: Exchange, generation: state.Generation, route: Route, error: BaseException
) -> None:
    if isinstance(error, HTTPError):
        headers = list(error.headers)
        detail = error.detail.encode("utf-8", "replace").decode()  # lone surrogates do not cross
        exchange.fail(generation.number, route.id, error.status, detail, headers, None)
        return
    traceback = _traceback.capture(error, with_locals=_running().with_locals)
    exchange.fail(generation.number, route.id, 500, "", [], _json(traceback))


def _stream(
    exchange: Exchange,
    generation: state.Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    chunks: Iterator[bytes],
) -> None:
    """Send a plain iterator from a thread of its own, or refuse while none is free."""
    runtime = _running()
    if len(runtime.at_stream) >= STREAM_THREADS:
        detail = "too many streams are open; an `async def` handler has no such limit"
        exchange.fail(generation.number, route.id, 503, detail, [("retry-after", "1")], None)
        return
    runtime.at_stream.add(exchange.id)
    stream = exchange.stream(generation.number, route.id, status, headers)

    def run() -> None:
        try:
            _send(stream, chunks, route)
        finally:
            runtime.at_stream.discard(exchange.id)

    runtime.streaming.submit(run)


def _send(stream: BodyStream, chunks: Iterator[bytes], route: Route) -> None:
    """Send a streamed answer; the headers are out, so an error can only cut it short."""
    try:
        for chunk in chunks:
            if chunk and not stream.send(chunk):
                break
        else:
            stream.finish()
    except BaseException:
        _log.exception("the stream of %s broke off", route.handler_name)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


async def _send_async(stream: BodyStream, chunks: AsyncIterator[bytes], route: Route) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for chunk in chunks:
            sent = stream.try_send(chunk) if chunk else True
            if sent is None:
                sent = await loop.run_in_executor(_running().slow, stream.send, chunk)
            if not sent:
                break
        else:
            stream.finish()
    except asyncio.CancelledError:
        raise
    except BaseException:
        _log.exception("the stream of %s broke off", route.handler_name)
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def _aloud_on_stderr(load: Callable[[], bytes]) -> bytes:
    """Keep stdout for the list that was asked for, whatever the modules print."""
    sys.stdout = sys.stderr
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        return load()
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _stop_resource_tracker() -> None:
    # multiprocessing's helper process ends by itself a moment after us; a clean stop leaves none.
    from multiprocessing import resource_tracker

    stop_tracker = getattr(resource_tracker._resource_tracker, "_stop", None)
    if stop_tracker is not None:
        stop_tracker()
