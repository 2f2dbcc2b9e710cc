"""The arguments of a handler: what each parameter gets, decided once, when its route is made.

Owns the plan of a call, and the function that fills it. A parameter gets a value of the path by its
name, or the request, or the pool; a further source is one more `Source`. Never reads a request but
for its `path_params`.
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Literal

from .handlers import Handler, innermost
from .libraries import known_class

Source = Literal["path", "request", "pool"]

_CLASSES: dict[str, Source] = {
    "snaxum.Request": "request",
    "concurrent.ProcessPoolExecutor": "pool",
    "concurrent.Executor": "pool",
}
_NAMES: dict[str, Source] = {"request": "request", "pool": "pool"}

Passing = Literal["positional", "either", "keyword"]

_PASSING: dict[object, Passing] = {
    Parameter.POSITIONAL_ONLY: "positional",
    Parameter.KEYWORD_ONLY: "keyword",
}


@dataclass(slots=True)
class Argument:
    """One parameter of a handler, and the source of its value; None leaves it out."""

    name: str
    source: Source | None
    is_required: bool
    is_annotated: bool
    passing: Passing
    # It belongs to the function inside a decorator that passes `**kwargs` on.
    is_inner: bool


def plan(handler: Handler, names: Sequence[str], *, with_pool: bool) -> list[Argument] | None:
    """Decide the arguments of a handler whose path has the parameters `names`.

    None stands for the request, and the pool if there is one, whatever the parameters are: for a
    function that takes `*args`, or has no signature. Any other parameter with a default is left
    out. Raises ValueError for a parameter that cannot be filled.
    """
    try:
        arguments = _parameters(handler, names)
    except RecursionError:  # wrapped in a circle
        return None
    if arguments is None:
        return None
    _give_request(arguments)
    sources = [each.source for each in arguments]
    if with_pool and "pool" not in sources and len(arguments) > 1 and _is_free(arguments[1]):
        arguments[1].source = "pool"
    for each in arguments:
        if each.source == "pool" and not with_pool:
            if each.is_required:
                raise ValueError(
                    f"the parameter `{each.name}` is the pool; add `use_process_pool=True`"
                )
            each.source = None
        # A decorator may fill the parameters of the function inside it.
        if _is_free(each) and not each.is_inner:
            raise ValueError(_refusal(each.name, names))
    return [each for each in arguments if each.source is not None]


def bind(
    handler: Handler, arguments: Sequence[Argument] | None, names: Sequence[str], *, with_pool: bool
) -> Handler:
    """Return the function that takes the request, and the pool, and calls `handler` as planned."""
    if arguments is None:
        return handler
    leading = list(itertools.takewhile(_is_positional, arguments))
    others = arguments[len(leading) :]
    sources = [each.source for each in leading]
    if not others and sources == ["request", "pool"][: 1 + with_pool]:
        return handler  # the usual one costs nothing
    path = [each.name for each in others if each.source == "path"]
    if len(path) == len(others) and set(path) == set(names):
        if not leading:
            return lambda request, pool=None: handler(**request.path_params)
        if sources == ["request"]:
            return lambda request, pool=None: handler(request, **request.path_params)

    def call(request: Any, pool: Any = None) -> Any:
        def value(argument: Argument) -> Any:
            if argument.source == "path":
                return request.path_params[argument.name]
            return request if argument.source == "request" else pool

        return handler(*map(value, leading), **{each.name: value(each) for each in others})

    return call


def _is_positional(argument: Argument) -> bool:
    """Report whether a value goes by position, as decorators expect of request and pool."""
    if argument.source == "path":
        return argument.passing == "positional"
    return argument.passing != "keyword"


def _parameters(handler: Any, names: Sequence[str]) -> list[Argument] | None:
    try:
        signature = inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError, NameError):
        wrapped = getattr(handler, "__wrapped__", None)  # `functools.cache` has no signature
        return _parameters(wrapped, names) if callable(wrapped) else None
    # `functools.wraps` copies the annotations from the function inside.
    function = innermost(handler)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    module = getattr(function, "__globals__", {})
    own, kinds = [], set()
    for each in signature.parameters.values():
        kinds.add(each.kind)
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            own.append(_argument(each, names, module))
    wrapped = getattr(handler, "__wrapped__", None)
    if Parameter.VAR_KEYWORD in kinds and callable(wrapped):
        _give_request(own)
        inner = _parameters(wrapped, names)
        if inner is not None:
            return own + _inner(inner, own, is_variadic=Parameter.VAR_POSITIONAL in kinds)
    is_any = Parameter.VAR_POSITIONAL in kinds and all(each.source is None for each in own)
    return None if is_any else own


def _give_request(arguments: list[Argument]) -> None:
    """Give the request to the first parameter, if none has asked for it."""
    if all(each.source != "request" for each in arguments):
        for each in arguments[:1]:
            if _is_free(each) and not each.is_annotated and each.passing != "keyword":
                each.source = "request"


def _argument(parameter: Parameter, names: Sequence[str], module: dict[str, Any]) -> Argument:
    name, source = parameter.name, _annotated_source(parameter.annotation, module)
    if source is None:
        source = "path" if name in names else _NAMES.get(name)
    return Argument(
        name,
        source,
        is_required=parameter.default is Parameter.empty,
        is_annotated=parameter.annotation is not Parameter.empty,
        passing=_PASSING.get(parameter.kind, "either"),
        is_inner=False,
    )


def _inner(inner: list[Argument], own: list[Argument], *, is_variadic: bool) -> list[Argument]:
    """Return the arguments that a decorator passes on, without its own."""
    taken = {each.name for each in own}
    taken_sources = {each.source for each in own} & {"request", "pool"}
    passed = [each for each in inner if each.name not in taken and each.source not in taken_sources]
    for each in passed:
        each.is_inner = True
        each.passing = each.passing if is_variadic else "keyword"
    return passed


def _annotated_source(annotation: Any, module: dict[str, Any]) -> Source | None:
    """Return the source that an annotation names; `Request | None` and aliases count too."""
    while isinstance(annotation, str):
        try:
            annotation = eval(annotation, module)
        except Exception:  # imported for type checkers only, or defined below
            last = annotation.strip("'\"").rpartition(".")[2]
            return next((s for c, s in _CLASSES.items() if c.endswith(f".{last}")), None)
    for each in (annotation, *typing.get_args(annotation)):
        if isinstance(each, type) and (source := known_class(each, _CLASSES)) is not None:
            return source
    return None


def _is_free(argument: Argument) -> bool:
    return argument.is_required and argument.source is None


def _refusal(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    path = f"use the name `{near[0]}` of the path" if near else f"add `<{name}>` to the path"
    return (
        f"nothing fills the parameter `{name}`; {path}, give it a default, or annotate it as "
        "`Request` and read it from there"
    )
