"""Declarations of routes and hooks: the decorators, for all routes or for a `Blueprint`.

Owns their public names and what a blueprint adds. Never calls a handler or a hook
(`_runtime.hook_chain`), and never decides to which routes a hook applies (`_reload.route_plans`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from . import _registry
from ._core import hooks
from ._core.decorator_types import (
    BODY_ROUTE_OPTIONS,
    ROUTE_OPTIONS,
    BeforeDecorator,
    BodyMethodDecorator,
    ErrorHandlerDecorator,
    HookDecorator,
    MethodDecorator,
    RouteDecorator,
    WebSocketDecorator,
    as_body_method,
    as_method,
    as_route,
)
from ._core.foreign_names import explain_keyword, explained
from ._core.handlers import Handler, where
from ._core.late_module import late_module
from ._core.route_errors import RouteError
from ._core.websocket_routes import WebSocketRoute
from .routing import Route

if TYPE_CHECKING:
    import inspect

    from ._core.handler_results import ResultHandler
    from .batching import Batch
else:
    inspect = late_module("inspect")

_H = TypeVar("_H", bound=Handler)
# A function whose result a type checker compares with the values that become responses.
_R = TypeVar("_R", bound="ResultHandler")


class Declarations:
    """The decorators of one level: of the package, or of one blueprint."""

    def __init__(self, scope: hooks.Scope | None = None) -> None:
        self._scope = scope

    @as_route
    @explained
    def route(
        self,
        path: str,
        methods: Iterable[str] | None = None,
        *,
        use_process_pool: bool = False,
        stream_body: bool | None = None,
        tags: Iterable[str] = (),
        summary: str = "",
        response_model: Any = None,
        status: int | None = None,
        batch: Batch | None = None,
        workers: int | None = None,
        warm_up: Callable[[], object] | None = None,
    ) -> Callable[[_H], _H]:
        """Make the function below the handler of `path`; without `methods`, of GET.

        One function may have several. A parameter gets the value of the path that has its name;
        one named `request` or annotated `Request`, or the first, if it is neither, gets the
        request. With `use_process_pool`, one named `pool`, or the second, gets the pool. One
        annotated with a model gets the body, and every other one the query parameter of its name,
        converted to its type.

        A handler that calls `request.stream()` starts before the body has arrived; with
        `stream_body=True` so does one that passes the request on to a function that calls it.

        `status` is that of a result which has none of its own. `response_model` is the type of the
        results: they are converted to it, without fields that it does not have, and one that does
        not fit is a 500. `tags` and `summary` describe the route.

        With a `batch`, one call of the handler takes many requests: each parameter is a list with
        the value of each, and it returns a list with the result of each, in their order. An
        exception in that list is the error of its request. With `workers`, the handler runs in so
        many processes of its own, with what it has loaded there. `warm_up()` is called before the
        handler gets a request, in each worker, or else in the server; an exception rejects the
        code.
        """

        def register(handler: _H) -> _H:
            declared = Route(
                self._full(path, handler),
                methods,
                handler,
                use_process_pool=use_process_pool,
                stream_body=stream_body,
                tags=tags,
                summary=summary,
                response_model=response_model,
                status=status,
                scope=self._scope,
                batch=batch,
                workers=workers,
                warm_up=warm_up,
            )
            if _registry.sink is not None:
                _registry.sink.add_route(declared)
            return handler

        if callable(path):
            raise RouteError(f"the route at {where(path)} has no path; write `@route('/path')`")
        return register

    @as_method
    def get(self, path: str, **options: Any) -> Callable[[_H], _H]:
        """Like `route`, for GET; HEAD is implied."""
        return self._of("GET", path, options, ROUTE_OPTIONS)

    @as_body_method
    def post(self, path: str, **options: Any) -> Callable[[_H], _H]:
        """Like `route`, for POST."""
        return self._of("POST", path, options, BODY_ROUTE_OPTIONS)

    @as_body_method
    def put(self, path: str, **options: Any) -> Callable[[_H], _H]:
        """Like `route`, for PUT."""
        return self._of("PUT", path, options, BODY_ROUTE_OPTIONS)

    @as_body_method
    def patch(self, path: str, **options: Any) -> Callable[[_H], _H]:
        """Like `route`, for PATCH."""
        return self._of("PATCH", path, options, BODY_ROUTE_OPTIONS)

    @as_method
    def delete(self, path: str, **options: Any) -> Callable[[_H], _H]:
        """Like `route`, for DELETE."""
        return self._of("DELETE", path, options, ROUTE_OPTIONS)

    @explained
    def websocket(self, path: str, *, subprotocols: Iterable[str] = ()) -> Callable[[_H], _H]:
        """Make the function below the handler of the WebSockets of `path`.

        It runs once for each client that connects. An `async def` handler gets a `WebSocket`, a
        `def` handler a `BlockingWebSocket`, as its parameter of that annotation, or else as its
        first one; other parameters are filled as for `route`. The first of `subprotocols` that the
        client offers is `ws.subprotocol`.
        """

        def register(handler: _H) -> _H:
            full = self._full(path, handler)
            declared = WebSocketRoute(full, handler, subprotocols, scope=self._scope)
            if _registry.sink is not None:
                _registry.sink.add_route(declared)
            return handler

        if callable(path):
            raise RouteError(
                f"`@websocket` at {where(path)} has no path; write `@websocket('/path')`"
            )
        return register

    def before_request(self, function: _R) -> _R:
        """Call `function(request)`, or `function()`, before each handler.

        A result other than None is the response, and the handler does not run.
        """
        return self._hook("before_request", function)

    def after_request(self, function: _H) -> _H:
        """Call `function(request, response)` after each handler.

        It returns the response to send, or None for the same. A failure that no error handler has
        taken comes as a response without a body: the server writes it, unless the function does.
        """
        return self._hook("after_request", function)

    def errorhandler(self, *errors: int | type[Exception]) -> Callable[[_R], _R]:
        """Call `function(request, error)` for these statuses, or classes of exceptions.

        It returns what a handler may; a result without a status gets that of the error.
        """
        if len(errors) == 1 and not isinstance(errors[0], int | type) and callable(errors[0]):
            raise RouteError(
                f"`@errorhandler` at {where(errors[0])} names no error; "
                "write `@errorhandler(404)` or `@errorhandler(ValueError)`"
            )
        if not errors:
            raise RouteError(
                "`@errorhandler()` names no error; "
                "write `@errorhandler(404)` or `@errorhandler(ValueError)`"
            )
        return lambda function: self._hook("errorhandler", function, errors)

    def middleware(self, function: _H) -> _H:
        """Call `function(request, call_next)` around each handler and its hooks.

        `call_next(request)` returns the response, in an `async def` once it is awaited.
        """
        return self._hook("middleware", function)

    def _of(
        self, method: str, path: str, options: dict[str, Any], known: frozenset[str]
    ) -> Callable[[Any], Any]:
        for name in options:
            if name not in known:
                function = method.lower()
                more = explain_keyword(function, name)
                raise TypeError(
                    f"Declarations.{function}() got an unexpected keyword argument {name!r}"
                    f"{'; ' if more else ''}{more or ''}"
                )
        return self.route(path, [method], **options)

    def _hook(
        self, kind: hooks.Kind, function: _H, errors: tuple[int | type[Exception], ...] = ()
    ) -> _H:
        try:
            declared = hooks.declare(kind, function, self._scope, errors)
        except ValueError as error:
            raise RouteError(str(error)) from None
        if _registry.sink is not None:
            _registry.sink.add_request_hook(declared)
        return function

    def _full(self, path: str, handler: object) -> str:
        """Return the path with the prefix of the blueprint."""
        if self._scope is None or not isinstance(path, str):
            return path
        if path and not path.startswith("/"):
            raise RouteError(
                f"route `{path}` at {where(handler)}: a pattern starts with a slash; "
                f"write `/{path}`"
            )
        return self._scope.prefix + path


class _ShownSignature:
    """The signature of a decorator, which `help` and notebooks show: with the options of `route`
    instead of `**options`. Made when it is first read: `inspect` would be a part of the start."""

    def __init__(self, method: Callable[..., Any], options: frozenset[str]) -> None:
        self._method, self._options = method, options

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # `inspect` takes only signatures of its own
        return inspect.Signature

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)

    def __str__(self) -> str:
        return str(self._made())

    def _made(self) -> inspect.Signature:
        every = inspect.signature(Declarations.route).parameters.values()
        code = self._method.__code__
        own = code.co_varnames[: code.co_argcount]
        named = [each for each in every if each.name in (*own, *self._options)]
        return inspect.signature(Declarations.route).replace(parameters=named)


for _method in (Declarations.get, Declarations.delete):
    vars(_method)["__signature__"] = _ShownSignature(_method, ROUTE_OPTIONS)
for _method in (Declarations.post, Declarations.put, Declarations.patch):
    vars(_method)["__signature__"] = _ShownSignature(_method, BODY_ROUTE_OPTIONS)


class Blueprint(Declarations):
    """A group of routes below `prefix`, with hooks that are for them only.

    Its routes need no registration: they exist once their module is loaded. `url_for` knows them
    as `name.function`.
    """

    def __init__(self, name: str, prefix: str = "") -> None:
        """Name the group; `prefix` starts with a slash, and may have parameters."""
        caller = sys._getframe(1)
        place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
        at = f"the blueprint {name!r} at {place}"
        if not isinstance(name, str) or not name or "." in name or not name.isprintable():
            raise RouteError(f"{at}: a name is a str without dots, such as 'shop'")
        if not isinstance(prefix, str) or (prefix and not prefix.startswith("/")):
            text = prefix if isinstance(prefix, str) and "/" in prefix else name
            raise RouteError(
                f"{at}: the prefix {prefix!r} does not start with a slash; "
                f"write `Blueprint({name!r}, prefix='/{text.strip('/')}')`"
            )
        super().__init__(hooks.Scope(name, prefix.rstrip("/"), place))
        if _registry.sink is not None:
            _registry.sink.add_scope(self._scope)

    @property
    def name(self) -> str:
        assert self._scope is not None, "`__init__` sets it"
        return self._scope.name

    @property
    def prefix(self) -> str:
        """The start of all its paths, without a slash at the end; "" for none."""
        assert self._scope is not None, "`__init__` sets it"
        return self._scope.prefix

    def __repr__(self) -> str:
        return f"<Blueprint {self.name} at {self.prefix or '/'}>"


_everywhere = Declarations()
route: RouteDecorator = _everywhere.route
get: MethodDecorator = _everywhere.get
post: BodyMethodDecorator = _everywhere.post
put: BodyMethodDecorator = _everywhere.put
patch: BodyMethodDecorator = _everywhere.patch
delete: MethodDecorator = _everywhere.delete
websocket: WebSocketDecorator = _everywhere.websocket
before_request: BeforeDecorator = _everywhere.before_request
after_request: HookDecorator = _everywhere.after_request
errorhandler: ErrorHandlerDecorator = _everywhere.errorhandler
middleware: HookDecorator = _everywhere.middleware
