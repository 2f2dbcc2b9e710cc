"""The functions that Rust calls: start, dispatch, reload, describe, explain, stop.

Owns the interface: plain data crosses it, and the objects of `_host`. Never matches a request
(`_runtime.dispatch`), never reads a socket.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import _registry, server_process
from ._core import json_codec, route_index
from ._host import Exchange, HostApi, to_json
from ._hosts import install as hosts
from ._reload import attempt, held_resources, report, stage
from ._runtime import (
    child_imports,
    forks,
    generations,
    interpreter,
    log_records,
    preloaded,
    registration,
    respond,
    streamed_request,
    streams,
    trace_context,
)
from ._runtime import runtime as runtimes
from ._runtime.dispatch import (
    Runner,
    calls_plain_handler,
    dispatch_before_body,
    dispatch_request,
    runner_of,
)
from ._runtime.generations import Generation, current
from ._runtime.leases import Lease, enter, leave
from ._runtime.runtime import Runtime, running
from .request import Request, set_max_form_fields
from .routing import Route, RouteTable

# How long the last printed lines wait for a reader.
LAST_LINES_S = 0.5
# The least time for cancelled requests to end.
LEAST_S = 0.5
# The most time for the hooks that end a generation, at a clean stop.
HOOKS_TIMEOUT_S = 10.0


def start(options: str, host: HostApi, hosted_api: Any) -> bytes:
    """Make the runtime and load the user's modules; return the report as JSON."""
    settings = json.loads(options)
    if settings["origin"] == "adopted":
        interpreter.adopt(settings["venv"], settings["build_python"])
    elif settings["origin"] == "host":
        interpreter.use_host(settings["venv"])
    if settings["load_only"]:
        interpreter.set_up_streams()
    elif interpreter.ends_with_server:
        streams.install()
    is_preload: bool = settings["is_preload"]
    _record_crashes(settings["crash_fd"])
    json_codec.use(host)
    if not settings["dev"]:
        generations.on_publish = functools.partial(_index, host)
    server_process.assign(*settings["process"])
    respond.is_observed, respond.is_timed = settings["dev"], settings["timed"]
    trace_context.is_on = settings["traced"]
    if settings["redact_extra"]:
        from ._debug import redact

        redact.add_words(settings["redact_extra"])
    set_max_form_fields(settings["max_form_fields"])
    streamed_request.max_body_size = settings["max_body_size"]
    is_dev = settings["dev"] and not settings["load_only"]
    if is_dev:
        from ._debug import library_hooks, output, output_heads

        library_hooks.install(host)
        output.install(host.print, is_raw=settings["raw_output"], finds_origin=True)
        output_heads.install(host.running_request)
    log_records.install(host, as_json=settings["json_log"], is_dev=is_dev)
    generations.first_number = settings["first_generation"]
    generations.publish(Generation(0, RouteTable([])))
    registration.install(hosts.host)
    hosts.serve_target(settings["app"])
    child_imports.install(host.framework)
    _registry.make_calls = _make_calls
    attempt.warms_up = not settings["load_only"] and not is_preload
    stage.starts_up = not is_preload
    stage.describes_models = bool(settings["openapi_url"]) or settings["load_only"]
    if settings["openapi_url"]:
        from ._openapi import pages

        generations.framework_routes = pages.routes(
            settings["openapi_url"], settings["docs_url"], settings["project_dir"], host
        )
    runtimes.start(Runtime(settings, host, hosted_api))
    if is_preload:
        return _preload()
    _begin_to_serve(host)
    return interpreter.redirect_stdout(_load) if settings["load_only"] else _load()


def freeze() -> None:
    """Leave all objects that there are out of searches for garbage."""
    gc.freeze()


def _preload() -> bytes:
    """Load the user's modules, for forks of this process; return the report as JSON.

    Starts no thread.
    """
    preloaded.report = _load_modules()
    running().import_late()  # once, and not in each process
    preloaded.freeze()
    return to_json(vars(preloaded.report))


def other_threads() -> list[str]:
    """Name the threads that a process which is forked from this one would lose."""
    return preloaded.other_threads()


def begin(options: str) -> bytes:
    """Serve the modules that `start` has loaded before this process was forked.

    Runs their start-up hooks and warm-ups; returns the report as JSON.
    """
    settings, runtime = json.loads(options), running()
    preloaded.unfreeze()
    _record_crashes(settings["crash_fd"])
    server_process.assign(*settings["process"])
    child_imports.renew(runtime.host.framework)
    _begin_to_serve(runtime.host)
    attempt.warms_up = stage.starts_up = True
    made = runtime.reloader.start_up(preloaded.take_report())
    _complete(made)
    return to_json(vars(made))


def _record_crashes(descriptor: int | None) -> None:
    if descriptor is not None:
        from ._debug import crash

        crash.install(descriptor)


def _begin_to_serve(host: HostApi) -> None:
    """Start what a process has for itself: it may be one of several with the same modules."""
    forks.call_in_child(host.detach_child)
    forks.call_in_child(respond.end_in_child)
    forks.install()
    running().begin()
    if respond.is_observed and running().serves:
        from ._debug import profiler

        profiler.start(running())


def reload(
    paths: list[str] | None,
    is_partial: bool,
    scope: str,
    on_begin: Callable[[], None],
    newer: Callable[[bool], list[str] | None],
) -> bytes:
    """Reload the modules that a change of `paths` concerns; None compares all files.

    See `Reloader.reload` for the parameters. Returns `"unchanged"`, `"held"`, `"overtaken"` or
    `{"report": ...}` as JSON.
    """
    made = running().reloader.reload(
        paths, is_partial=is_partial, scope=scope, on_begin=on_begin, newer=newer
    )
    if isinstance(made, str):
        return to_json(made)
    _complete(made)
    return to_json({"report": vars(made)})


def end_replaced() -> None:
    """End the generations that the last reload has replaced, once no request is on them."""
    running().retirement.wake()


def _load() -> bytes:
    """Load the user's modules for the first time; return the report as JSON."""
    made = _load_modules()
    _complete(made)
    running().retirement.wake()
    return to_json(vars(made))


def _load_modules() -> report.Report:
    runtime, resources = running(), held_resources.take_from_environment()
    if resources is not None:
        held_resources.install()
    made = runtime.reloader.load()
    if resources is not None:
        held_resources.tolerate(made, resources)
    elif generations.first_number > 1:
        made = held_resources.wait_for_release(made, runtime.reloader.load)
    if not runtime.serves:  # only inspected, not served
        made.warnings += [route.describe() for route in runtime.reloader.find_unloaded_routes()]
    return made


def _complete(made: report.Report) -> None:
    """Add the secrets to a report, and start the parts that the new routes need."""
    runtime = running()
    streamed = (route for route in current().routes if route.streams_body)
    made.streamed = [{"methods": [*each.methods], "prefix": each.body_prefix} for each in streamed]
    if respond.is_observed:
        from ._debug import redact

        made.secrets = redact.secret_values()
    runtime.prepare_for(current().routes)
    if runtime.serves and any(map(runtimes.needs_pool, current().routes)):
        # The first pool request should not pay for the start of a process.
        threading.Thread(target=runtime.pool.warm_up, daemon=True).start()


def describe(what: str, about: list[str]) -> bytes:
    """Return `what` as JSON, for the console, as `_debug.description` has it."""
    from ._debug import description

    return to_json(description.of(what, about))


def explain(method: str, path: str) -> bytes:
    """Return the route of a request, and the reasons against others, as JSON."""
    from ._debug.route_lookup import explain as explain_match

    generation = current()
    return to_json(explain_match(generation.table, method, path, generation.static_mounts))


def openapi_document() -> Callable[[], str]:
    """Return the function that makes the OpenAPI document of the serving generation, as JSON.

    It has a lease of the generation, and may be called once, in any thread.
    """
    from ._openapi.serving import document_of

    lease, project = Lease(current()), running().project

    def make() -> str:
        try:
            return document_of(lease.generation, project)
        finally:
            lease.end()

    return make


def run_tests(args: list[str]) -> int:
    """Run pytest with these arguments in this thread; return its exit code."""
    from ._testing.run import run

    return run(args, running().project)


def stop(timeout: float) -> None:
    """Stop loop and pool, run the functions of `atexit`, flush. The interpreter stays.

    Requests, tasks and functions after a response end within `timeout` s. Threads and processes of
    the user are not waited for.
    """
    runtime = running()
    deadline = time.monotonic() + timeout
    runtime.close_background(timeout)
    loop, pool = runtime.made()
    if loop is not None and not loop.end_requests(max(LEAST_S, deadline - time.monotonic())):
        runtime.replace_loop(loop, is_last=True)  # hooks need one that runs
    for threads in runtime.threads:
        threads.close()
    pools = [*runtime.handler_pools, *([pool] if pool is not None else [])]
    for each in pools:
        each.close(max(0.0, deadline - time.monotonic()))
    if pools:
        forks.stop_resource_tracker()
    runtime.retirement.end_now(current(), HOOKS_TIMEOUT_S)
    if (loop := runtime.made()[0]) is not None:  # a hook may have needed it first
        loop.stop()
    runtime.retirement.run_at_exit(current())
    forks.end_children()
    if interpreter.ends_with_server:
        atexit._run_exitfuncs()
    child_imports.remove()
    streams.end(LAST_LINES_S)


def dispatch(exchange: Exchange, method: str, path: str) -> None:
    """Run one request, or pass it to the loop or to a thread that may wait."""
    generation = enter(exchange.id)
    try:
        dispatch_request(exchange, generation, method, path)
    finally:
        leave(generation)


def dispatch_found(
    exchange: Exchange, request: Request, target: tuple[Runner, Generation, Route]
) -> None:
    """Run a request whose route Rust has found, or pass it on."""
    run, generation, route = target
    if trace_context.is_on:
        trace_context.attach(exchange)
    run(exchange, generation, route, request)


def _index(host: HostApi, generation: Generation) -> None:
    """Let Rust find the routes of a generation."""
    table = generation.table

    def target(route: Route) -> tuple[Runner, Generation, Route]:
        return runner_of(route), generation, route

    texts, ends = route_index.text_rows(table, target), route_index.end_rows(table, target)
    host.index_routes(Request, texts, ends, hosts.rows(generation))


def dispatch_websocket(exchange: Exchange, method: str, path: str) -> None:
    """Pass the handshake of a WebSocket to the loop, or to a thread of its own."""
    generation = enter(exchange.id)
    try:
        _sockets().dispatch_websocket(exchange, generation, path)
    finally:
        leave(generation)


def dispatch_call(exchange: Exchange, _: str, name: str) -> None:
    """Call the function `module:function` for Rust, as a handler is called."""
    generation = enter(exchange.id)
    try:
        _called_functions().dispatch_call(exchange, generation, name)
    finally:
        leave(generation)


def dispatch_head(exchange: Exchange, method: str, path: str) -> None:
    """Run a request whose body has not arrived, if its handler reads it in chunks."""
    generation = enter(exchange.id)
    try:
        dispatch_before_body(exchange, generation, method, path)
    finally:
        leave(generation)


def blocks(method: str, path: str) -> bool:
    """Report whether a request calls a handler that may block the dispatch worker."""
    return calls_plain_handler(current(), method, path)


def call_blocks(_: str, name: str) -> bool:
    """Report whether a call from Rust may block the dispatch worker."""
    blocks: bool = _called_functions().blocks(current(), name)
    return blocks


def _make_calls(served: Any) -> Any:
    """Return the runtime's side of a handler with batches or workers: most servers have none."""
    from ._runtime.batches import Batches

    return Batches(served)


@functools.cache
def _called_functions() -> ModuleType:
    """Import `called_functions` with the first call: most servers have none."""
    from ._runtime import called_functions

    return called_functions


@functools.cache
def _sockets() -> ModuleType:
    """Import `sockets` with the first handshake: most servers have none."""
    from ._runtime import sockets

    return sockets
