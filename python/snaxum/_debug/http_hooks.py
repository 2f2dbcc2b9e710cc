"""Records the requests that httpx, requests and aiohttp send.

Owns the hook of each. A hooked call has the arguments, result and exceptions of the library.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import call_rows

_WRAPPED = "__snaxum_call__"


def hook_httpx(module: Any) -> None:
    """Record what clients send, redirects included in one row."""
    _wrap(module.Client, _recorded("httpx"))
    _wrap(module.AsyncClient, _recorded_async("httpx"))


def hook_requests(module: Any) -> None:
    """Record what adapters send: each redirect is a row."""
    _wrap(module.HTTPAdapter, _recorded("requests"))


def hook_aiohttp(module: Any) -> None:
    """Give each session a trace of the library's own."""
    session = module.ClientSession
    original = session.__init__
    if hasattr(original, _WRAPPED):
        return
    from importlib import import_module

    trace_config = import_module("aiohttp.tracing").TraceConfig

    async def on_start(_: Any, context: Any, params: Any) -> None:
        context.call = call_rows.begin("http", "aiohttp", f"{params.method} {params.url}")

    async def on_end(_: Any, context: Any, params: Any) -> None:
        _finish(getattr(context, "call", None), status=params.response.status)

    async def on_exception(_: Any, context: Any, params: Any) -> None:
        _finish(getattr(context, "call", None), error=params.exception)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        config = trace_config()
        config.on_request_start.append(on_start)
        config.on_request_end.append(on_end)
        config.on_request_exception.append(on_exception)
        given = kwargs.get("trace_configs")
        kwargs["trace_configs"] = [*(given or ()), config]
        original(self, *args, **kwargs)

    setattr(init, _WRAPPED, True)
    session.__init__ = init


def _wrap(owner: Any, wrapper: Callable[[Any], Any]) -> None:
    """Replace the method `send` of a class, if it has it itself."""
    original = vars(owner).get("send")
    if callable(original) and not hasattr(original, _WRAPPED):
        wrapped = wrapper(original)
        setattr(wrapped, _WRAPPED, True)
        owner.send = wrapped


def _recorded(library: str) -> Callable[[Any], Any]:
    def wrapper(original: Any) -> Any:
        @functools.wraps(original)
        def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            call = call_rows.begin("http", library, f"{request.method} {request.url}")
            try:
                response = original(self, request, *args, **kwargs)
            except BaseException as error:
                _finish(call, error=error)
                raise
            _finish(call, status=getattr(response, "status_code", None))
            return response

        return send

    return wrapper


def _recorded_async(library: str) -> Callable[[Any], Any]:
    def wrapper(original: Any) -> Any:
        @functools.wraps(original)
        async def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            call = call_rows.begin("http", library, f"{request.method} {request.url}")
            try:
                response = await original(self, request, *args, **kwargs)
            except BaseException as error:
                _finish(call, error=error)
                raise
            _finish(call, status=getattr(response, "status_code", None))
            return response

        return send

    return wrapper


def _finish(
    call: call_rows.Called | None, *, status: int | None = None, error: BaseException | None = None
) -> None:
    if call is not None:
        call.end(status=status, error=error)
