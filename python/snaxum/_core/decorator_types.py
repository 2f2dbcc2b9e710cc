"""The types of the decorators, for type checkers.

Owns the difference that `response_model` makes: without it a handler returns what becomes a
response, with it whatever fits the model. Decorates nothing: `blueprints` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast, overload

from .handlers import Handler

if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Unpack  # checkers have it; Python 3.10 does not

    from ..batching import Batch
    from .handler_results import ResultHandler
else:
    Protocol = object  # only type checkers need it, and each one takes long to make

_H = TypeVar("_H", bound=Handler)
# A function whose result a type checker compares with the values that become responses.
_R = TypeVar("_R", bound="ResultHandler")


class RouteOptions(TypedDict, total=False):
    """The options of every route, but for `response_model`, which decides the overload."""

    use_process_pool: bool
    tags: Iterable[str]
    summary: str
    status: int | None
    batch: Batch | None
    workers: int | None
    warm_up: Callable[[], object] | None


class BodyRouteOptions(RouteOptions, total=False):
    """The options of a route whose method has a body."""

    stream_body: bool | None


ROUTE_OPTIONS = frozenset({"response_model", *RouteOptions.__annotations__})
BODY_ROUTE_OPTIONS = frozenset({"response_model", *BodyRouteOptions.__annotations__})


class RouteDecorator(Protocol):
    """The type of `route`."""

    @overload
    def __call__(
        self,
        path: str,
        methods: Iterable[str] | None = None,
        *,
        response_model: None = None,
        **options: Unpack[BodyRouteOptions],
    ) -> Callable[[_R], _R]: ...
    @overload
    def __call__(
        self,
        path: str,
        methods: Iterable[str] | None = None,
        *,
        response_model: object,
        **options: Unpack[BodyRouteOptions],
    ) -> Callable[[_H], _H]: ...


class MethodDecorator(Protocol):
    """The type of `get` and `delete`."""

    @overload
    def __call__(
        self, path: str, *, response_model: None = None, **options: Unpack[RouteOptions]
    ) -> Callable[[_R], _R]: ...
    @overload
    def __call__(
        self, path: str, *, response_model: object, **options: Unpack[RouteOptions]
    ) -> Callable[[_H], _H]: ...


class BodyMethodDecorator(Protocol):
    """The type of `post`, `put` and `patch`."""

    @overload
    def __call__(
        self, path: str, *, response_model: None = None, **options: Unpack[BodyRouteOptions]
    ) -> Callable[[_R], _R]: ...
    @overload
    def __call__(
        self, path: str, *, response_model: object, **options: Unpack[BodyRouteOptions]
    ) -> Callable[[_H], _H]: ...


class WebSocketDecorator(Protocol):
    """The type of `websocket`."""

    def __call__(self, path: str, *, subprotocols: Iterable[str] = ()) -> Callable[[_H], _H]:
        """See `Declarations.websocket`."""


class BeforeDecorator(Protocol):
    """The type of `before_request`."""

    def __call__(self, function: _R) -> _R:
        """See `Declarations.before_request`."""


class HookDecorator(Protocol):
    """The type of `after_request` and `middleware`."""

    def __call__(self, function: _H) -> _H:
        """See `Declarations.after_request`."""


class ErrorHandlerDecorator(Protocol):
    """The type of `errorhandler`."""

    def __call__(self, *errors: int | type[Exception]) -> Callable[[_R], _R]:
        """See `Declarations.errorhandler`."""


def as_route(method: Callable[..., Any]) -> RouteDecorator:
    """Give a method the type of `route`."""
    return cast(RouteDecorator, method)


def as_method(method: Callable[..., Any]) -> MethodDecorator:
    """Give a method the type of `get`."""
    return cast(MethodDecorator, method)


def as_body_method(method: Callable[..., Any]) -> BodyMethodDecorator:
    """Give a method the type of `post`."""
    return cast(BodyMethodDecorator, method)
