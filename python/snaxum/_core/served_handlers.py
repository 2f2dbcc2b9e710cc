"""Handlers with `batch`, `workers` or `warm_up`: what a request calls in their place.

Owns the check of these options, and the types that one request has for the lists of a batch
handler. Never collects a batch and never calls a worker: the runtime does (`_runtime.batches`),
once it has called `install`.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

from .. import _registry
from .._validation import hints
from .._validation.faults import Unresolved, Unsupported
from ..batching import Batch
from . import handlers, sources
from .arguments import Argument
from .batch_results import POOL, fill_pool, gather, results_in
from .handlers import Handler, innermost

if TYPE_CHECKING:
    from .parameters import Namespaces

WarmUp = Callable[[], object]
# More than any machine has devices.
MAX_WORKERS = 256
# The most time for the running calls of workers that are replaced.
CLOSE_S = 4.0
# The types of a result that no batch has, with their subclasses.
_NO_LIST: tuple[type, ...] = (str, bytes, int, float, dict, tuple, set, type(None))
_LISTS = (list, Sequence)


class HandlerCalls(Protocol):
    """The runtime's side of one handler."""

    async def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of one request; raise its error."""

    def start(self, generation: Any) -> None:
        """Start the workers on `generation`, and warm each up. Raises what a warm-up raises."""

    def follow(self, generation: Any) -> None:
        """Serve later requests with the code of `generation`; None: it has another handler."""

    def close(self, timeout: float) -> None:
        """End the workers, after their running calls, at the latest after `timeout` s."""


class ServedHandler:
    """A handler, and the options of its route that decide how it is called."""

    def __init__(
        self,
        handler: Handler,
        batch: Batch | None,
        workers: int | None,
        warm_up: WarmUp | None,
        *,
        with_pool: bool,
    ) -> None:
        """Check the options. Raises TypeError or ValueError."""
        _check(handler, batch, workers, warm_up, with_pool=with_pool)
        self.handler = handler
        self.batch = batch
        self.workers = workers
        self.warm_up = warm_up
        self.with_pool = with_pool
        self.is_async: bool = handlers.is_async(handler)
        # Whether the warm-up has run, and the workers have started.
        self.is_warm: bool = warm_up is None and workers is None
        self._calls: HandlerCalls | None = None

    @property
    def is_called_alone(self) -> bool:
        """Whether a request calls the handler itself: it only has a warm-up."""
        return self.batch is None and self.workers is None

    @property
    def mode(self) -> str:
        """Where the handler runs, as `Route.mode`."""
        if self.with_pool:
            return "process pool"
        if self.workers is not None:
            return "workers"
        return "async" if self.is_async else "in-thread"

    def row(self) -> dict[str, Any]:
        """Describe batches and workers as JSON, for the list of routes."""
        batch, row = self.batch, dict[str, Any]()
        if batch is not None:
            row["batch"] = {"max_size": batch.max_size, "max_wait_ms": batch.max_wait_ms}
        if self.workers is not None:
            row["workers"] = self.workers
        return row

    @property
    def name(self) -> str:
        target = innermost(self.handler)
        return f"{getattr(target, '__module__', '?')}.{getattr(target, '__qualname__', '?')}"

    def calls(self) -> HandlerCalls | None:
        """Return the runtime's side; None where nothing serves, as in a unit test."""
        if self._calls is None and _registry.make_calls is not None:
            self._calls = _registry.make_calls(self)
        return self._calls

    def follow(self, generation: Any) -> None:
        """Start the batch that waits: the code of later requests is `generation`.

        None if that has another handler.
        """
        if self._calls is not None:
            self._calls.follow(generation)

    def close(self, timeout: float = CLOSE_S) -> None:
        """End the workers, if there are some, at the latest after `timeout` s."""
        if self._calls is not None:
            self._calls.close(timeout)

    def entry(self, namespaces: Namespaces, *, is_last: bool) -> Handler:
        """Return the function that one request calls, with the types of one request.

        Raises ValueError for a type that no batch has, and Unresolved for one that is not defined.
        """

        async def entry(*args: Any, **kwargs: Any) -> Any:
            calls = self.calls()
            if calls is None:
                return await self._call_here(args, kwargs)
            return await calls.call(args, kwargs)

        functools.update_wrapper(entry, self.handler)
        signature = _signature(self.handler)
        if signature is not None:
            if self.batch is not None:
                signature = _of_one(signature, namespaces, is_last=is_last)
                entry.__annotations__ = _annotations(signature)
            entry.__signature__ = signature  # type: ignore[attr-defined]
        return entry

    def bound(self, call: Handler, arguments: Sequence[Argument] | None) -> Handler:
        """Return `call`, which fills the arguments of the entry, as a function of the request.

        Raises ValueError for an argument that cannot go to another process.
        """
        if not self.with_pool:
            if self.workers is not None:
                _check_arguments(arguments)
            return call
        return lambda request: call(request, POOL)

    async def _call_here(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the handler for one request, without a server."""
        if self.batch is None:
            args, kwargs = fill_pool((args, kwargs), None)
            return self.handler(*args, **kwargs)
        args, kwargs = gather([(args, kwargs)])
        returned = self.handler(*args, **kwargs)
        (of_request,) = results_in(await returned if self.is_async else returned, 1, self.handler)
        if isinstance(of_request, BaseException):
            raise of_request
        return of_request


def serve(
    handler: Handler,
    batch: Any,
    workers: Any,
    warm_up: Any,
    with_pool: bool,
    stream_body: bool | None,
) -> ServedHandler:
    """Return a handler with the options of its route. Raises TypeError or ValueError."""
    made = ServedHandler(handler, batch, workers, warm_up, with_pool=with_pool)
    if stream_body and not made.is_called_alone:
        raise ValueError("a body in chunks stays with its request; drop `stream_body`")
    return made


def _check(handler: Any, batch: Any, workers: Any, warm_up: Any, *, with_pool: bool) -> None:
    target = innermost(handler)
    is_generator = inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)
    if batch is not None:
        if not isinstance(batch, Batch):
            size = batch if type(batch) is int and batch > 0 else 32
            raise TypeError(f"`batch` is {batch!r}; write `batch=Batch(max_size={size})`")
        if is_generator:
            raise ValueError(
                "a batch handler has a `yield`; return a list with one result for each request"
            )
    if warm_up is not None:
        _check_warm_up(warm_up)
    if workers is None:
        return
    if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
        raise ValueError(
            f"`workers` is {workers!r}; write a number of processes from 1 to {MAX_WORKERS}"
        )
    if handlers.is_async(handler) and not with_pool:
        raise ValueError(
            "an `async def` handler has no workers: each runs one call at a time; make it a `def`, "
            "or drop `workers`"
        )
    if is_generator and not with_pool:
        raise ValueError("a handler with workers has a `yield`; return the whole result")
    for function in (handler, warm_up):
        if isinstance(function, FunctionType) and "<" in function.__qualname__:
            raise ValueError(
                f"a worker cannot find `{function.__qualname__}` by name; move it to the top level "
                "of a module"
            )


def _check_warm_up(warm_up: Any) -> None:
    if not callable(warm_up):
        kind = type(warm_up).__name__
        raise TypeError(f"`warm_up` is a {kind}; pass a function, without calling it")
    try:
        inspect.signature(warm_up).bind()
    except TypeError as error:
        name = getattr(warm_up, "__qualname__", "the function")
        raise TypeError(f"`warm_up` is called without arguments, and `{name}` is {error}") from None
    except ValueError:
        pass  # a builtin function without a signature


def _check_arguments(arguments: Sequence[Argument] | None) -> None:
    for each in arguments or ():
        if each.source in ("request", "file"):
            what = "the request" if each.source == "request" else "an upload"
            instead = (
                "take its values as parameters, such as a model of the body"
                if each.source == "request"
                else "send the file as base64 in a model of the body"
            )
            raise ValueError(
                f"`{each.name}` is {what}, which cannot go to the process of a worker; {instead}, "
                "or drop `workers`"
            )
    if arguments is None:
        raise ValueError(
            "a handler with workers names its parameters: a request cannot go to their process; "
            "write them out in place of `*args`"
        )


def _signature(handler: Handler) -> inspect.Signature | None:
    try:
        return inspect.signature(handler)
    except NameError as error:  # from Python 3.14 on, of a type that is defined below
        raise Unresolved(f"`{error.name or error}` is not defined") from None
    except (TypeError, ValueError):
        return None


def _of_one(
    signature: inspect.Signature, namespaces: Namespaces, *, is_last: bool
) -> inspect.Signature:
    """Return the signature for one request: each `list[T]` is a `T`."""
    parameters = [_parameter(each, namespaces) for each in signature.parameters.values()]
    result = _result(signature.return_annotation, namespaces, is_last=is_last)
    return signature.replace(parameters=parameters, return_annotation=result)


def _parameter(parameter: inspect.Parameter, namespaces: Namespaces) -> inspect.Parameter:
    name, annotation = parameter.name, parameter.annotation
    if annotation is parameter.empty or parameter.kind in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    ):
        return parameter
    try:
        kind, metadata = hints.unwrap(hints.resolve(annotation, *namespaces))
    except Unresolved:
        raise
    except Unsupported:
        return parameter  # the plan of the call has the reason
    if sources.of_class(kind) == "pool":
        return parameter
    inner = typing.get_args(kind)
    if (typing.get_origin(kind) or kind) not in _LISTS:
        shown = hints.name_of(kind)
        raise ValueError(
            f"the parameter `{name}` is a `{shown}`, and a batch handler gets a list with the "
            f"value of each request; write `{name}: list[{shown}]`"
        )
    if not inner:
        raise ValueError(
            f"the parameter `{name}` is a list of anything; write what it has for each request, as "
            f"in `{name}: list[Request]` or `{name}: list[Order]`"
        )
    if isinstance(parameter.default, list) and not _is_list(inner[0]):
        raise ValueError(
            f"the default of `{name}` is a list, and it is the value of one request that has none; "
            f"write one, as in `{name}: {hints.name_of(kind)} = Query(1)`"
        )
    return parameter.replace(annotation=hints.annotated(inner[0], metadata))


def _result(annotation: Any, namespaces: Namespaces, *, is_last: bool) -> Any:
    """Return the type of one result; Any if it is not known."""
    if annotation is inspect.Signature.empty:
        return annotation
    try:
        kind = hints.unwrap(hints.resolve(annotation, *namespaces))[0]
    except Unresolved:
        if not is_last:
            raise
        return Any
    except Unsupported:
        return Any
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in _LISTS:
        return _without_errors(inner[0]) if inner else Any
    if _is_no_list(origin):
        shown = "None" if kind is hints.NONE else hints.name_of(kind)
        raise ValueError(
            f"it returns `{shown}`, and a batch handler returns a list with one result for each "
            f"request; write `-> list[{shown}]`"
        )
    return Any


def _without_errors(kind: Any) -> Any:
    """Drop the exceptions from the types of a result: they are raised, not sent."""
    kinds = [
        each
        for each in hints.members(hints.unwrap(kind)[0])
        if not (hints.is_class(each) and issubclass(each, BaseException))
    ]
    if len(kinds) == len(hints.members(hints.unwrap(kind)[0])):
        return kind
    return hints.union(kinds) if kinds else Any


def _is_no_list(kind: Any) -> bool:
    from .._validation import models

    return hints.is_class(kind) and (issubclass(kind, _NO_LIST) or models.is_model(kind))


def _is_list(kind: Any) -> bool:
    kind = hints.unwrap(kind)[0]
    return (typing.get_origin(kind) or kind) in _LISTS


def _annotations(signature: inspect.Signature) -> dict[str, Any]:
    empty = inspect.Signature.empty
    found = {
        each.name: each.annotation
        for each in signature.parameters.values()
        if each.annotation is not empty
    }
    if signature.return_annotation is not empty:
        found["return"] = signature.return_annotation
    return found
