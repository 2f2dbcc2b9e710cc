"""Calls of the user's functions from Rust: `module:function`, with JSON in and out.

Owns the way from the name to the function, the conversion of its arguments, and the form of its
result. It runs and fails as a handler does (`dispatch`, `respond`). Calls only what is in a module
of the serving generation.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from .._core import handlers, parameters
from .._core.handlers import Handler
from .._core.json_decoding import loads
from .._core.json_encoding import EncodingError, dumps
from .._host import Exchange
from .._validation import engines
from .._validation.faults import Convert, Fault, Faults, TooManyFaults
from ..capture import is_private
from ..headers import MissingField
from ..http import HTTPError, Request, Response
from ..routing import Route
from .dispatch import run_async, run_sync, run_with_pool
from .generations import Generation
from .respond import CalledFunctionError, send_lookup_error

JSON = "application/json"
# The most functions, and the most faults in arguments, that an error lists.
MAX_LISTED = 10


class NoSuchFunction(LookupError):
    """A name that no function has; the message has the reason, and the nearest name."""


class CalledFunction(Route):
    """A function that Rust calls, in place of a route; its `call` gets the arguments as a body."""

    __slots__ = ("_converters", "_pool", "_sent", "_signature")

    def __init__(self, name: str, function: Handler) -> None:
        self.pattern, self.methods, self.handler = name, ("CALL",), function
        self.hosted = self.served = None
        self.is_async = handlers.is_async(function)
        self._signature = _signature(function)
        self._converters, self._pool = _plan(function)
        # The parameters that Rust has values for.
        self._sent = _without(self._signature, self._pool)
        # The recorder shows values only for an id with the names of the parameters.
        self.id = "private" if is_private(function) else "call:" + ",".join(_names(self._sent))
        self.use_process_pool = self._pool is not None
        self.call = self._call_on_loop if self.is_async else self._call_here

    def _call_here(self, request: Request, pool: object = None) -> Response:
        try:
            args, kwargs = self._arguments(request, pool)
            return _response(self.handler(*args, **kwargs))
        except _Refusal:
            raise
        except (HTTPError, MissingField) as error:
            raise CalledFunctionError(error) from None

    async def _call_on_loop(self, request: Request, pool: object = None) -> Response:
        try:
            args, kwargs = self._arguments(request, pool)
            return _response(await self.handler(*args, **kwargs))
        except _Refusal:
            raise
        except (HTTPError, MissingField) as error:
            raise CalledFunctionError(error) from None

    def _arguments(self, request: Request, pool: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments that were sent, each as the type of its parameter, and the pool."""
        sent = loads(request.data)
        args, kwargs = sent.get("args", []), sent.get("kwargs", {})
        if self._signature is None or self._sent is None:
            return tuple(args), kwargs
        if self._pool in kwargs:
            raise _Refusal(422, f"`{self._pool}` is the process pool, which Snaxum passes")
        try:
            bound = self._sent.bind(*args, **kwargs)
        except TypeError as error:
            raise _Refusal(422, f"{error}; it is `{self._form()}`") from None
        faults = Faults()
        try:
            for name, convert in self._converters.items():
                if name in bound.arguments:
                    bound.arguments[name] = convert(bound.arguments[name], (name,), faults)
        except TooManyFaults:
            pass  # the first ones are listed
        if faults:
            raise _Refusal(422, "; ".join(map(_describe, faults[:MAX_LISTED])))
        if self._pool is not None:
            bound = self._add_pool(self._signature, self._pool, bound, pool)
        return bound.args, bound.kwargs

    def _add_pool(
        self,
        signature: inspect.Signature,
        name: str,
        sent: inspect.BoundArguments,
        pool: object,
    ) -> inspect.BoundArguments:
        bound = signature.bind_partial()
        bound.arguments.update(sent.arguments)
        bound.arguments[name] = pool
        bound.apply_defaults()  # a pool by position needs all values before it
        return bound

    def _form(self) -> str:
        """Return `function(a, b=1)`, as Rust calls it."""
        name = self.pattern.partition(":")[2]
        try:
            return f"{name}{self._sent}"
        except Exception:  # the repr of a default value
            return f"{name}({', '.join(self._sent.parameters if self._sent else ())})"


class _Refusal(HTTPError):
    """Arguments that do not fit, or a result without a JSON form: no exception of the function."""


def _response(result: object) -> Response:
    try:
        return Response(dumps(result), content_type=JSON)
    except EncodingError as error:
        raise _Refusal(500, str(error)) from None


def dispatch_call(exchange: Exchange, generation: Generation, name: str) -> None:
    """Call a function, and send its result."""
    try:
        route = find(generation, name)
    except NoSuchFunction as error:
        exchange.fail(generation.number, None, 404, str(error), [], None)
        return
    except Exception as error:  # in the user's code, such as `__getattr__` of a callable
        send_lookup_error(exchange, generation, error)
        return
    request = Request(exchange, {})
    if route.is_async:
        run_async(exchange, generation, route, request)
    elif route.use_process_pool:
        run_with_pool(exchange, generation, route, request)
    else:
        run_sync(exchange, generation, route, request)


def blocks(generation: Generation, name: str) -> bool:
    """Report whether `dispatch_call` would call the function in its own thread."""
    try:
        route = find(generation, name)
    except Exception:  # `dispatch_call` reports it
        return False
    return not (route.use_process_pool or route.is_async)


def find(generation: Generation, name: str) -> Route:
    """Return the function `module:function` of a generation. Raises NoSuchFunction."""
    module_name, colon, function_name = name.partition(":")
    if not colon:
        raise NoSuchFunction("write `module:function`, such as `shop.orders:total`")
    module = generation.modules.get(module_name)
    if module is None:
        raise NoSuchFunction(_explain_unloaded(generation, module_name))
    function = vars(module).get(function_name)
    if not callable(function):
        raise NoSuchFunction(_explain_missing(module, function_name))
    called = generation.called.get(name)
    if called is None or called.handler is not function:
        called = generation.called[name] = CalledFunction(name, function)
    return called


def _explain_unloaded(generation: Generation, name: str) -> str:
    if failure := generation.broken.get(name):
        return f"the module `{name}` did not load: {failure['type']}"
    return f"no module `{name}` is loaded; " + _suggest(name, generation.modules, "loaded")


def _explain_missing(module: ModuleType, name: str) -> str:
    found = vars(module)
    if name in found:
        kind = type(found[name]).__name__
        return f"`{name}` in the module `{module.__name__}` is a {kind}, not a function"
    own = [
        each
        for each, value in found.items()
        if inspect.isroutine(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return f"the module `{module.__name__}` has no `{name}`; " + _suggest(name, own, "there")


def _suggest(name: str, known: Iterable[str], where: str) -> str:
    """Name the nearest one to `name`, or else all of them."""
    known = sorted(known)
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean `{near[0]}`?"
    if not known:
        return f"nothing is {where}"
    more = ", …" if len(known) > MAX_LISTED else ""
    return f"{where}: " + ", ".join(f"`{each}`" for each in known[:MAX_LISTED]) + more


def _signature(function: Handler) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError, NameError):  # some builtin functions have none
        return None


def _without(signature: inspect.Signature | None, name: str | None) -> inspect.Signature | None:
    if signature is None or name is None:
        return signature
    kept = [each for each in signature.parameters.values() if each.name != name]
    return signature.replace(parameters=kept)


def _names(signature: inspect.Signature | None) -> list[str]:
    """Return the parameters of positional arguments, in their order; the last may be `*rest`."""
    if signature is None:
        return []
    return [
        f"*{each.name}" if each.kind is each.VAR_POSITIONAL else each.name
        for each in signature.parameters.values()
        if each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD)
    ]


def _plan(function: Handler) -> tuple[dict[str, Convert], str | None]:
    """Return the converters of parameters by name, and the parameter that gets the pool.

    An annotation without a converter is one for type checkers only: the function converts what it
    gets.
    """
    converters: dict[str, Convert] = {}
    pool = None
    try:
        arguments = parameters.typed(function)
    except Exception:  # in the user's code, such as a metaclass
        return {}, None
    for each in arguments:
        if each.source == "pool":
            pool = each.name
        elif each.is_annotated and each.error is None:
            try:
                converters[each.name] = _converter(each.annotation, each.limits)
            except Exception:
                pass
    return converters, pool


def _converter(annotation: Any, limits: dict[str, Any]) -> Callable[..., Any]:
    return engines.for_body(annotation, limits, loads).explain


def _describe(fault: Fault) -> str:
    place = str(fault.loc[0])
    for step in fault.loc[1:]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"`{place}` {fault.msg}"
