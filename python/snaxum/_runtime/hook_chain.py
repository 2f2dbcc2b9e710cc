"""The way of a request through the hooks of its route: around, before, after, and on errors.

Owns the order within one request, decided for a route when its generation is built
(`_reload.route_plans`). Written once, as coroutines: where all parts are `def`, they run to the end
in the thread that begins them. If any part is `async def`, the chain runs on the loop, and its
`def` parts in a thread (`thread_hops`). Never sends a response.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from .._core.hooks import HookSet, RequestHook
from .._core.late_module import late_module
from .._host import to_json
from ..capture import is_private
from ..headers import MissingField, Pairs
from ..http_errors import HTTPError
from ..request import RawRequest, Request
from ..response import PLAIN_TYPES, Response, content_type_of, file_error, has_status, to_response
from ..routing import Route

if TYPE_CHECKING:
    import pathlib

    from .._debug import traceback
else:
    pathlib, traceback = map(late_module, ("pathlib", "snaxum._debug.traceback"))

_T = TypeVar("_T")
_TEXT = (str, bytes)
_resources: Any = None  # the parts of the runtime that `thread_hops` needs


def install(resources: Any) -> None:
    """Use the threads and pools of `resources`, as `thread_hops.Resources`, from now on."""
    global _resources
    _resources = resources


class FailureResponse(Response):
    """A failure that no error handler has taken, as the hooks see it: without a body.

    `is_raised`: an exception that is not a response by itself, such as a ValueError.
    """

    __slots__ = ("error", "is_raised")

    def __init__(self, error: Exception, status: int, *, is_raised: bool) -> None:
        super().__init__(None, status, error.headers if isinstance(error, HTTPError) else None)
        self.error = error
        self.is_raised = is_raised

    def parts(self, request_headers: Callable[[], Pairs] = tuple) -> Any:
        """Return the values to send, for the body that a hook has set."""
        content_type = content_type_of(self.body)
        if content_type is not None:
            self.headers.set_default_type(content_type)
        return super().parts(request_headers)


class HandlerFailed(Exception):
    """Raised to let the server write the response of a failure, with the status and the headers
    that the hooks have given it."""

    def __init__(self, response: FailureResponse) -> None:
        super().__init__()
        self.response = response


class Encoded(Response):
    """A response whose parts were made within the chain, so that its error handlers see errors."""

    __slots__ = ("_parts",)

    def __init__(self, response: Response, request: RawRequest) -> None:
        for kind in type(response).__mro__:
            for name in getattr(kind, "__slots__", ()):
                if name in _RESPONSE_SLOTS and hasattr(response, name):
                    setattr(self, name, getattr(response, name))
        self._parts = response.parts(request.headers)
        body = self._parts[2]
        if isinstance(body, pathlib.Path) and not body.is_file():  # Rust would find out later
            raise file_error(body, OSError(f"`{body}` is not a regular file"))

    def parts(self, *_: Any) -> Any:
        return self._parts


_RESPONSE_SLOTS = frozenset(Response.__slots__)


class HookedRoute(Route):
    """A route as it runs in one generation, with the hooks of that generation."""

    __slots__ = ("_origin", "_plain", "hooks")

    def __init__(self, origin: Route, hooks: HookSet) -> None:
        _copy(origin, self)
        self._origin = origin
        self.hooks = hooks
        self.is_async = origin.is_async or any(hook.is_async for hook in hooks.all())
        # With a part on the loop, the pool is made there.
        self.use_process_pool = origin.use_process_pool and not self.is_async
        self.hosted = None  # its `call` makes a response for the hooks
        # The types of bodies that the chain does not encode.
        self._plain = frozenset(_TEXT if _see_encoding_errors(hooks) else PLAIN_TYPES)
        if self.id is None:
            self._plain = frozenset()  # only a result of a listed route is sent as it is
        if self.is_async:
            self.call = self._call_on_loop
        elif not hooks.middleware and not hooks.after:
            self.call = self._call_without_response
        else:
            self.call = self._call_here

    @property
    def origin(self) -> Route:
        return self._origin

    @property
    def via(self) -> list[str]:
        return [f"{hook.label} {hook.name}" for hook in self.hooks.all()]

    @property
    def mode(self) -> str:
        return self._origin.mode

    def to_dict(self, root: str) -> dict[str, Any]:
        return {**self._origin.to_dict(root), "via": self.via}

    def _call_here(self, request: Request, pool: Any = None) -> Response:
        return _drive(_ChainRun(self, None, pool).respond(request))

    def _call_without_response(self, request: Request, pool: Any = None) -> Any:
        """Do what `_call_here` does, sooner: no hook needs the result as a response."""
        call = self._origin.call
        try:
            for hook in self.hooks.before:
                result = hook.call(request)
                if result is not None:
                    break
            else:
                result = call(request) if pool is None else call(request, pool)
            if type(result) in self._plain:
                return result
            response = to_response(result)
        except Exception as error:
            response = _drive(_ChainRun(self, None, pool).fail(request, error))
        return _drive(_ChainRun(self, None, pool).finish(request, response))

    async def _call_on_loop(self, request: Request) -> Response:
        assert _resources is not None, "the runtime installs them"
        hops = _thread_hops().ThreadHops(_resources, request._raw, self.handler_name)
        return await _ChainRun(self, hops, None).respond(request)


class UnmatchedRoute(HookedRoute):
    """In place of the route of a request that none matches: raises or returns `refusal`."""

    def __init__(self, refusal: HTTPError | Response, hooks: HookSet) -> None:
        def refuse(request: Request) -> Response:
            if isinstance(refusal, HTTPError):
                raise refusal
            return refusal

        origin = Route.__new__(Route)
        _copy(_no_route(), origin)
        origin.call = refuse
        origin.id = None  # type: ignore[assignment]
        super().__init__(origin, hooks)


@functools.cache
def _no_route() -> Route:
    """Make the route that stands for none, once."""
    return Route("/", None, lambda request: None)


def _copy(source: Route, target: Route) -> None:
    for name in Route.__slots__:
        if name != "__weakref__" and hasattr(source, name):
            setattr(target, name, getattr(source, name))


class _ChainRun:
    """One request on its way through the hooks of a route."""

    __slots__ = ("_failure", "_hooks", "_hops", "_plain", "_pool", "_route")

    def __init__(self, route: HookedRoute, hops: Any, pool: Any) -> None:
        """Begin it; without `hops` all parts run here."""
        self._route = route.origin
        self._plain = route._plain
        self._hooks = route.hooks
        self._hops = hops
        self._pool = pool
        # The failure that goes through the middleware as an exception.
        self._failure: FailureResponse | None = None

    async def respond(self, request: Request) -> Response:
        """Return the response. Raises HandlerFailed for a failure that the server responds to."""
        if self._hooks.middleware:
            try:
                response = await self._enter(0, request)
            except Exception as error:
                response = await self._escaped(request, error)
        else:
            response = await self._respond(request)
        return await self.finish(request, response)

    async def finish(self, request: Request, response: Response) -> Response:
        """Return a response that is ready to be sent. Raises HandlerFailed as `respond` does."""
        is_file, failed = isinstance(response.body, pathlib.Path), response
        if is_file or (self._hooks.errors and type(response.body) not in self._plain):
            response = await self._encoded(request, response)
        if isinstance(response, FailureResponse) and response.body is None:
            raise HandlerFailed(response)
        if isinstance(failed, FailureResponse) and failed.is_raised:
            self._report(request, failed.error)
        return response

    async def _enter(self, index: int, request: Request) -> Response:
        """Go through the middleware from `index` on."""
        if index == len(self._hooks.middleware):
            response = await self._respond(request)
            if isinstance(response, FailureResponse) and response.is_raised:
                self._failure = response
                raise response.error
            return response
        hook = self._hooks.middleware[index]
        call_next = functools.partial(self._enter, index + 1)
        hops = self._hops
        if hook.is_async:
            result = await hook.call(request, call_next)
        elif hops is None:
            result = hook.call(request, lambda request: _drive(call_next(request)))
        else:
            result = await hops.hop(
                hook.call, request, lambda request: hops.wait(call_next(request))
            )
        if result is None:
            raise TypeError(
                f"the middleware {hook.name} returned None; return the response of `call_next`"
            )
        return to_response(result)

    async def _escaped(self, request: Request, error: Exception) -> Response:
        """Return the response for an exception that left the middleware."""
        if self._failure is not None and self._failure.error is error:
            return self._failure
        return await self.fail(request, error)

    async def _respond(self, request: Request) -> Response:
        """Run the hooks before, the handler, and the hooks after."""
        hops = self._hops
        try:
            response = to_response(await self._run_hooks(request))
        except Exception as error:
            response = await self.fail(request, error)
        for hook in self._hooks.after:
            try:
                # Without a coroutine where it needs none.
                if hops is None:
                    result = hook.call(request, response)
                else:
                    result = await self._call(hook, request, response)
                if result is not None and result is not response:
                    if isinstance(response, FailureResponse) and response.is_raised:
                        self._report(request, response.error)
                    response = to_response(result)
            except Exception as error:
                response = await self.fail(request, error)
        return response

    async def _run_hooks(self, request: Request) -> object:
        route, hops = self._route, self._hops
        for hook in self._hooks.before:
            result = hook.call(request) if hops is None else await self._call(hook, request)
            if result is not None:
                return result
        if route.is_async:
            if route.use_process_pool:
                return await hops.await_with_pool(route.call, request)
            return await route.call(request)
        if hops is None:
            return (
                route.call(request, self._pool) if route.use_process_pool else route.call(request)
            )
        if route.use_process_pool:
            return await hops.hop_with_pool(route.call, request)
        return await hops.hop(route.call, request)

    async def _call(self, hook: RequestHook, *args: Any) -> Any:
        if hook.is_async:
            return await hook.call(*args)
        if self._hops is None:
            return hook.call(*args)
        return await self._hops.hop(hook.call, *args)

    async def fail(
        self, request: Request, error: Exception, tried: tuple[RequestHook, ...] = ()
    ) -> Response:
        """Return the response of the nearest error handler, or else a `FailureResponse`."""
        status, is_raised = status_of(error, request)
        hook = self._find(error, status, tried, is_raised=is_raised)
        if hook is None:
            return FailureResponse(error, status, is_raised=is_raised)
        try:
            result = await self._call(hook, request, error)
            response = to_response(result)
            if not has_status(result):
                response.status = status
        except Exception as other:
            return await self.fail(request, other, (*tried, hook))
        if is_raised and response.status >= 500:
            self._report(request, error)
        return response

    def _find(
        self, error: Exception, status: int, tried: tuple[RequestHook, ...], *, is_raised: bool
    ) -> RequestHook | None:
        """Find an error handler, in the order of Flask.

        A status comes before a class, but for an exception that has none itself. At each level the
        most specific class comes first.
        """
        levels = self._hooks.errors
        by_status = [level.get(status) for level in levels]
        classes = [kind for kind in type(error).__mro__ if issubclass(kind, Exception)]
        by_class = [level.get(kind) for level in levels for kind in classes]
        ordered = by_class + by_status if is_raised else by_status + by_class
        return next((hook for hook in ordered if hook is not None and hook not in tried), None)

    def _report(self, request: Request, error: Exception) -> None:
        """Show the traceback of an exception that a hook responds to with a status of 500."""
        raised = getattr(request._raw, "raised", None)
        if raised is None or _resources is None:
            return  # there is no server
        handler = self._route.handler
        with_locals = _resources.with_locals and not is_private(handler)
        failure = traceback.capture(error, with_locals=with_locals)
        traceback.add_handler(failure, handler)
        raised(to_json(failure))

    async def _encoded(self, request: Request, response: Response) -> Response:
        """Encode the response here, where an error handler sees the error."""
        for is_last in (False, True):
            if isinstance(response, FailureResponse) and response.body is None:
                return response
            try:
                return Encoded(response, request._raw)
            except Exception as error:
                if is_last:
                    return FailureResponse(error, 500, is_raised=True)
                failed = await self.fail(request, error)
                for name, value in response.headers.multi_items():
                    if not name.startswith("content-") and name not in failed.headers:
                        failed.headers.add(name, value)
                response = failed
        raise AssertionError("the second turn returns")


def status_of(error: Exception, request: Request) -> tuple[int, bool]:
    """Return the status of a failure, and whether it is an exception that has none itself."""
    if isinstance(error, HTTPError):
        return error.status, False
    if isinstance(error, MissingField):
        return 400, False
    from .._debug import unparsed_body

    explained = unparsed_body.explain(error, request)
    return (500, True) if explained is None else (explained[0], True)


def _see_encoding_errors(hooks: HookSet) -> bool:
    """Report whether an error handler may be for a value that has no JSON form."""
    conditions = [condition for level in hooks.errors for condition in level]
    return any(condition == 500 or isinstance(condition, type) for condition in conditions)


def _drive(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never waits to its end."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: _T = end.value
        return value
    raise AssertionError("a `def` part never waits for the loop")


@functools.cache
def _thread_hops() -> ModuleType:
    """Import `thread_hops` with the first request that needs it: asyncio is large."""
    from . import thread_hops

    return thread_hops
