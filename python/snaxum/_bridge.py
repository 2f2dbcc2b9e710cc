"""All that Rust calls: start, dispatch, prepare, reload, status, explain, stop.

Owns the border: plain data crosses, and `Exchange` is the one object that Rust lends, a request
and the means to answer it. Matches a request; how it is answered is in `_answers`. Never reads a
socket.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Callable

from . import _answers, _interpreter, _masking, _output, _runtime, state
from ._answers import answer, aside, on_loop, to_json
from ._border import Border, Exchange
from ._matching import explain as explain_match
from ._matching import order as matching_order
from ._near_misses import near_misses
from ._reload import effects, report
from ._runtime import running
from .http import Request
from .routing import ImpliedOptions, MethodNotAllowed, RouteTable


def start(options: str, border: Border) -> bytes:
    """Make everything that serves, load the user's modules, and report as JSON."""
    settings = json.loads(options)
    if settings["adopted"]:
        _interpreter.adopt(settings["venv"], settings["build_python"])
    _interpreter.set_up_streams()
    _answers.is_observed = settings["dev"]
    _masking.add_words(settings["redact_extra"])
    if settings["dev"] and not settings["load_only"]:
        _output.install(border.print, is_raw=settings["raw_output"])
    state.first_number = settings["first_generation"]
    state.publish(state.Generation(0, RouteTable([])))
    _runtime.start(_runtime.Runtime(settings, border))
    if settings["load_only"]:
        return _aloud_on_stderr(reload)
    return reload()


def prepare(paths: list[str] | None, is_partial: bool, extent: str) -> str:
    """Compare the change of `paths` (None is everything) with what serves, and compile it.

    `extent` is `new`, `differing` or `all`, as for the reloader. Gives `go` if `reload` has
    something to do, else `unchanged` or `held`.
    """
    return running().reloader.prepare(paths, is_partial=is_partial, extent=extent)


def reload() -> bytes:
    """Make the attempt that `prepare` has found, or load everything; the report as JSON."""
    runtime = running()
    made = runtime.reloader.load()
    if _answers.is_observed:
        made.secrets = _masking.secret_values()
    runtime.prepare_for(state.current().routes)
    if runtime.warm_pool and any(route.use_process_pool for route in state.current().routes):
        # The first pool request should not pay for the start of a process.
        threading.Thread(target=runtime.pool.warm_up, daemon=True).start()
    return to_json(vars(made))


def describe(what: str, about: list[str]) -> bytes:
    """Answer a question of the console as JSON; it is null where there is nothing to tell.

    There are `pool`, `modules`, `order` (of matching), `workers`, `source` (of a route's id) and
    `match` (method, path).
    """
    generation = state.current()
    if what == "pool":
        return to_json(running().pool_status())
    if what == "order":
        return to_json(matching_order(generation.table))
    if what == "workers":
        from . import _workers

        return to_json(_workers.describe(running()))
    if what == "source":
        return to_json(report.source_of(generation, *about))
    if what == "match":
        return to_json(explain_match(generation.table, *about))
    return to_json(report.describe(generation))


def explain(method: str, path: str) -> bytes:
    """Tell which route answers a request, and why others do not, as JSON."""
    return to_json(explain_match(state.current().table, method, path))


def stop(timeout: float) -> None:
    """Stop loop and pool, run what `atexit` holds, flush. The interpreter itself stays."""
    runtime = running()
    loop, pool = runtime.made()
    if loop is not None:
        loop.end_requests()
    for threads in (runtime.waiting, runtime.streaming):
        threads.shutdown(wait=False, cancel_futures=True)
    if pool is not None:
        pool.close(timeout)
        _stop_resource_tracker()
    runtime.drain.end_now(state.current(), timeout)
    loop = runtime.made()[0]  # a hook may have been the first to need it
    if loop is not None:
        loop.stop()
    effects.run_at_exit(state.current().graph.nodes.values())
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # the other end is gone, or the user closed it


def dispatch(exchange: Exchange, method: str, path: str) -> None:
    """Answer one request, or hand it to the loop or a thread that may wait."""
    generation = state.enter(exchange.id)
    try:
        _dispatch(exchange, generation, method, path)
    finally:
        state.leave(generation)


def _dispatch(exchange: Exchange, generation: state.Generation, method: str, path: str) -> None:
    found = generation.table.match(method, path)
    if type(found) is tuple:
        route, params = found
        request = Request(exchange, params or {})
        if route.use_process_pool:
            aside(exchange, generation, route, request)
        elif route.is_async:
            on_loop(exchange, generation, route, request)
        else:
            answer(exchange, generation, route, request)
    elif type(found) is MethodNotAllowed:
        allow = ", ".join(found.allow)
        detail = f"{path} does not answer {method}; it answers {allow}"
        exchange.fail(generation.number, None, 405, detail, [("allow", allow)], None)
    elif type(found) is ImpliedOptions:
        headers = [("allow", ", ".join(found.allow))]
        exchange.respond(generation.number, None, 200, headers, b"")
    elif generation.broken:
        _answer_broken(exchange, generation)
    else:
        detail = f"no route for {path}"
        if _answers.is_observed and (near := near_misses(generation.routes, path)):
            detail += "; near it: " + ", ".join(near)
        exchange.fail(generation.number, None, 404, detail, [], None)


def _answer_broken(exchange: Exchange, generation: state.Generation) -> None:
    """Answer for a path that nobody has while a module has not loaded: it may be one of its own."""
    routes = generation.broken_routes
    name = routes.module_for(exchange.method, exchange.path) if routes else None
    if name is not None:
        failure = generation.broken[name]
        detail = f"`{name}`, which has this path, did not load: {failure['type']}"
        exchange.fail(generation.number, None, 500, detail, [], to_json(failure))
        return
    name, failure = next(iter(generation.broken.items()))
    detail = f"no route that loaded has this path; `{name}` did not load: {failure['type']}"
    exchange.fail(generation.number, None, 503, detail, [("retry-after", "1")], None)


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
