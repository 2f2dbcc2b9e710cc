"""Hooks around handlers: what `@before_request` and the others declare, checked when they do.

Owns `Scope`, `RequestHook` and their checks. Never calls a hook, and knows no route.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from .handlers import innermost, is_async, is_generator, where
from .late_module import late_module
from .records import record

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")

Kind = Literal["before_request", "after_request", "errorhandler", "middleware"]
Condition = int | type[Exception]

_PARAMETERS: dict[Kind, tuple[str, ...]] = {
    "before_request": ("request",),
    "after_request": ("request", "response"),
    "errorhandler": ("request", "error"),
    "middleware": ("request", "call_next"),
}


@record(eq=False, repr=False)
class Scope:
    """A blueprint, as its routes and hooks refer to it."""

    name: str
    prefix: str
    # `file:line` of its declaration.
    place: str


@record(eq=False, repr=False)
class RequestHook:
    """A function that runs before, after or around handlers, or instead of one that failed.

    Without a scope it is for all routes. `call` takes the parameters of its kind. `conditions` are
    the statuses and classes of an error handler.
    """

    kind: Kind
    function: Callable[..., Any]
    scope: Scope | None
    conditions: tuple[Condition, ...]
    call: Callable[..., Any]
    is_async: bool

    @property
    def name(self) -> str:
        """The function, as `module.function`."""
        target = innermost(self.function)
        name = getattr(target, "__qualname__", None) or type(target).__qualname__
        return f"{self.module}.{name}" if self.module else str(name)

    @property
    def module(self) -> str:
        return str(getattr(innermost(self.function), "__module__", None) or "")

    @property
    def place(self) -> str:
        return where(self.function)

    @property
    def label(self) -> str:
        """Kind and conditions, as in `errorhandler(404, ValueError)`."""
        if not self.conditions:
            return self.kind
        return f"{self.kind}({', '.join(map(name_of, self.conditions))})"


@record(repr=False)
class HookSet:
    """The hooks of one route, each kind in the order in which it runs.

    The blueprint comes first in `errors`.
    """

    middleware: tuple[RequestHook, ...] = ()
    before: tuple[RequestHook, ...] = ()
    after: tuple[RequestHook, ...] = ()
    errors: tuple[dict[Condition, RequestHook], ...] = ()

    def all(self) -> list[RequestHook]:
        """List every hook once, in the order in which a request meets them."""
        errors = [hook for level in self.errors for hook in level.values()]
        return list(dict.fromkeys([*self.middleware, *self.before, *self.after, *errors]))


def declare(
    kind: Kind,
    function: Callable[..., Any],
    scope: Scope | None,
    conditions: tuple[Any, ...] = (),
) -> RequestHook:
    """Check a hook, and make it. Raises ValueError with the place and the correction."""
    names = _PARAMETERS[kind]
    example = f"`def {_name(function)}({', '.join(names)})`"
    if not callable(function):
        got = type(function).__name__
        raise ValueError(f"`@{kind}` got a {got}; put it on a function such as {example}")
    at = f"`@{kind}` at {where(function)}"
    target = innermost(function)
    if is_generator(target):
        raise ValueError(f"{at}: the function has a `yield`; return the response instead")
    checked = _checked(conditions, at)
    call = function
    if not _accepts(function, len(names)):
        if kind != "before_request" or not _accepts(function, 0):
            raise ValueError(
                f"{at}: `{_name(function)}` cannot take {_listed(names)}; write it as {example}"
            )
        call = _without_request(function)
    return RequestHook(kind, function, scope, checked, call, is_async(function))


def name_of(condition: Condition) -> str:
    return str(condition) if isinstance(condition, int) else condition.__name__


def _without_request(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda request: function()


def _accepts(function: Callable[..., Any], count: int) -> bool:
    """Report whether a call with `count` arguments by position is possible."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError, NameError):
        return True  # a function of C
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _checked(conditions: tuple[Any, ...], at: str) -> tuple[Condition, ...]:
    for each in conditions:
        if isinstance(each, tuple | list | set):
            raise ValueError(f"{at} got {each!r}; write each as an argument of its own")
        if isinstance(each, type) and issubclass(each, Exception):
            continue
        if isinstance(each, bool) or not isinstance(each, int):
            raise ValueError(
                f"{at} got {each!r}; pass statuses such as 404, or classes of exceptions"
            )
        if not 400 <= each <= 599:
            raise ValueError(f"{at}: {int(each)} is not the status of an error; use 400 to 599")
    plain = tuple(int(each) if isinstance(each, int) else each for each in conditions)
    if len(set(plain)) < len(plain):
        raise ValueError(f"{at} names an error twice; remove one of them")
    return plain


def _listed(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})"


def _name(function: object) -> str:
    return str(getattr(innermost(function), "__name__", "function"))
