"""The sources of arguments: which classes, names and types ask for which part of a request.

Owns the tables that are extended for a further source, and the errors for a parameter that no
source can fill. Never reads a signature.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from .._validation.faults import Unresolved, Unsupported
from .._validation.hints import NONE, is_alias, is_class, members, name_of, unwrap
from ..markers import MISSING
from .arguments import Argument, ArgumentSource
from .libraries import ByClass
from .near_names import near_names

TEXTS = ("path", "query", "header", "cookie", "form")

# The classes that ask for something by themselves; `library.Class`.
CLASSES: dict[str, ArgumentSource] = {
    "snaxum.Request": "request",
    "snaxum.WebSocket": "websocket",
    "snaxum.BlockingWebSocket": "websocket",
    "snaxum.UploadFile": "file",
    "concurrent.ProcessPoolExecutor": "pool",
    "concurrent.Executor": "pool",
}
_SOURCES = ByClass(CLASSES)
NAMES: dict[str, ArgumentSource] = {"request": "request", "pool": "pool"}

# The classes that are a body in another form than JSON: `module:function` reads one. It gets the
# request and the class, and returns the value, or raises an HTTPError.
READERS = ByClass(
    {
        "polars.DataFrame": "snaxum._core.frame_body:read",
        "pandas.DataFrame": "snaxum._core.frame_body:read",
        "pyarrow.Table": "snaxum._core.frame_body:read",
    }
)

_PLAIN = (str, int, float, bool)
_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS", "TRACE", "WS"}
# The usual names of a WebSocket without an annotation.
_WEBSOCKETS = ("ws", "websocket", "socket")


def of_class(annotation: Any) -> ArgumentSource | None:
    """Return the source that a type names; `Request | None` and `list[UploadFile]` count too."""
    if type(annotation) is type:
        return _SOURCES.of_class(annotation)
    for each in members(annotation):
        each = unwrap(each)[0]
        for kind in (each, *typing.get_args(each)):
            if is_class(kind) and (source := _SOURCES.of_class(kind)) is not None:
                return source
    return None


def of_unresolved(annotation: Any) -> ArgumentSource | None:
    """Return the source of a name that is imported for type checkers only."""
    if not isinstance(annotation, str):
        return None
    for part in annotation.split("|"):
        last = part.strip("'\" ").rpartition(".")[2]
        for known, source in CLASSES.items():
            if known.endswith(f".{last}"):
                return source
    return None


def type_of_default(default: Any) -> Any:
    """Return the type of a parameter without an annotation: that of its default, else str.

    None: the default is a constant that the handler gives itself.
    """
    if default is MISSING or default is None:
        return str
    kind = type(default)
    if kind is list and all(type(each) is str for each in default):
        return list[str]
    from .._validation import scalars

    return kind if kind in scalars.TEXT or isinstance(default, enum.Enum) else None


def reader_of(annotation: Any) -> str | None:
    for each in members(annotation):
        if is_class(each) and (found := READERS.of_class(each)) is not None:
            return found
    return None


def choose(argument: Argument, methods: Sequence[str]) -> ArgumentSource | None:
    """Return the source of a parameter that names none: the body, or the query.

    None leaves it to its default, or to a decorator.
    """
    if not argument.is_annotated and (
        argument.annotation is None or (argument.is_inner and argument.is_required)
    ):
        return None
    if "WS" in methods and argument.name in _WEBSOCKETS and not argument.is_annotated:
        return "websocket"
    if argument.error is None and is_body(argument.annotation):
        return "body"
    return "query"


def is_body(annotation: Any) -> bool:
    """Report whether a type needs more than text: a model, a dict, a frame, or a list of them.

    Raises Unresolved or Unsupported for an alias without a value.
    """
    if annotation in _PLAIN:
        return False
    if reader_of(annotation) is not None:
        return True
    from .._validation import models

    annotation = unwrap(annotation)[0]
    if is_alias(annotation):
        return True  # it contains itself, as no text does
    for each in members(annotation):
        each = unwrap(each)[0]
        if is_alias(each) or len(members(each)) > 1:
            if is_body(each):
                return True
            continue
        base = typing.get_origin(each) or each
        if models.is_model(base) or (isinstance(base, type) and _is_mapping(base)):
            return True
        if base in (list, tuple, set, frozenset) and any(map(is_body, typing.get_args(each))):
            return True
    return False


def embed(bodies: Sequence[Argument]) -> None:
    """Make several parameters of a body the members of one object. Raises ValueError."""
    if len(bodies) < 2 and not any(getattr(each.marker, "embed", False) for each in bodies):
        return
    names: dict[str, str] = {}
    for each in bodies:
        if each.reader is not None:
            raise ValueError(
                f"`{each.name}` is a table, which is the whole body and no member of an object; "
                "drop the other parameters of the body, or take them from the query"
            )
        if each.key in names:
            raise ValueError(
                f"`{names[each.key]}` and `{each.name}` are both the member `{each.key}` of the "
                "body; change the `alias` of one of them"
            )
        names[each.key] = each.name
        each.is_embedded = True


def _is_mapping(base: type) -> bool:
    return issubclass(base, Mapping) and not issubclass(base, enum.Enum)


def check(argument: Argument, names: Mapping[str, type], methods: Sequence[str]) -> None:
    """Complete a planned argument. Raises ValueError, or Unresolved, if nothing can fill it."""
    name, source = argument.name, argument.source
    if argument.error is not None and source in (*TEXTS, "body", "file"):
        _refuse_unknown(argument)
        return
    if source == "websocket" and "WS" not in methods:
        raise ValueError(
            f"the parameter `{name}` is a WebSocket; declare its handler with `@websocket(path)`"
        )
    if source == "path":
        _check_path(argument, names)
    elif source == "body":
        _check_body(argument, methods)
    elif source in ("form", "file"):
        if set(methods) <= _WITHOUT_BODY:
            raise ValueError(
                f"the parameter `{name}` is of a form, and {_named(methods)} has no body; "
                "add `methods=['POST']`"
            )
        argument.is_list = is_list(argument.annotation)
    if source in TEXTS and not argument.is_as_matched:
        _check_text(argument, names)


def _refuse_unknown(argument: Argument) -> None:
    name, error = argument.name, argument.error
    if argument.source == "path" and isinstance(error, Unresolved) and argument.marker is None:
        argument.is_as_matched = True  # as for a handler without annotations
        return
    if argument.is_inner and argument.marker is None:
        argument.source = None
        return
    if isinstance(error, Unresolved):
        raise Unresolved(
            f"the type of the parameter `{name}` is unknown: {error}; define it, or import it "
            "outside of `if TYPE_CHECKING`"
        )
    raise ValueError(f"the parameter `{name}` cannot be filled: {error}")


def _check_path(argument: Argument, names: Mapping[str, type]) -> None:
    if argument.key not in names:
        near = near_names(argument.key, names)
        hint = f"use the name `{near[0]}`" if near else f"add `<{argument.key}>` to the path"
        raise ValueError(f"`{argument.name}` is not in the path; {hint}")
    # Each has a value, so a default is never used.
    argument.is_required, argument.default = True, MISSING
    kind = names[argument.key]
    if not argument.limits and not argument.metadata:
        chosen = [unwrap(each)[0] for each in members(argument.annotation)]
        argument.is_as_matched = not argument.is_annotated or any(
            each in (kind, Any, object) for each in chosen
        )
    if not argument.is_annotated:
        argument.annotation = kind


def _check_body(argument: Argument, methods: Sequence[str]) -> None:
    if "WS" in methods:
        raise ValueError(
            f"the parameter `{argument.name}` comes from a body, and a WebSocket has none; use "
            "`await ws.receive_json()`"
        )
    if set(methods) <= _WITHOUT_BODY:
        if argument.is_inner and argument.marker is None:  # a decorator fills it
            argument.source = None
            return
        raise ValueError(
            f"the parameter `{argument.name}` is a `{name_of(argument.annotation)}`, which comes "
            f"from a body, and {_named(methods)} has none; add `methods=['POST']`, or take its "
            "fields as parameters"
        )
    argument.reader = reader_of(argument.annotation)
    if argument.reader is None:
        try:
            _build(is_text=False)(argument.annotation, argument.limits)
        except Unresolved:
            raise
        except Unsupported as error:
            raise ValueError(f"the parameter `{argument.name}` cannot be filled: {error}") from None


def _build(*, is_text: bool) -> Any:
    from .._validation.standard import Builder  # with the first parameter that needs it

    return Builder(is_text=is_text).build


def _check_text(argument: Argument, names: Mapping[str, type]) -> None:
    argument.is_list = argument.source != "path" and is_list(argument.annotation)
    is_model = argument.source != "path" and text_model_of(argument.annotation) is not None
    if is_model and argument.marker is not None:
        argument.is_text_model = True
        return
    try:
        _build(is_text=True)(argument.annotation, argument.limits)
    except Unresolved:
        raise
    except Unsupported as error:
        # A value is there: it may be a constant that the handler gives itself.
        is_given = not argument.is_required or argument.is_inner
        if is_given and argument.marker is None and argument.source == "query":
            argument.source = None
            return
        raise ValueError(_refusal(argument, error, names)) from None
    if argument.name in ("self", "cls") and not argument.is_annotated:
        raise ValueError(
            f"nothing fills the parameter `{argument.name}`; put `@route` on a function, and not "
            "on a method of a class"
        )


def _refusal(argument: Argument, error: Unsupported, names: Mapping[str, type]) -> str:
    near = near_names(argument.name, names)
    path = (
        f", or use the name `{near[0]}` of the path" if near and argument.name not in names else ""
    )
    return (
        f"nothing fills the parameter `{argument.name}`: {error}; annotate it as a type that has "
        f"a text, as `int`, or as `Request` and read it from there{path}"
    )


def text_model_of(annotation: Any) -> Any:
    """Return the model of a type that is one, or `None` beside one; else None."""
    from .._validation import models

    chosen = [unwrap(each)[0] for each in members(annotation)]
    kinds = [each for each in chosen if each is not NONE]
    return kinds[0] if len(kinds) == 1 and models.is_model(kinds[0]) else None


def is_list(annotation: Any) -> bool:
    """Report whether a type takes all values of a name."""
    chosen = [unwrap(each)[0] for each in members(annotation)]
    kinds = [typing.get_origin(each) or each for each in chosen if each is not NONE]
    return bool(kinds) and all(
        isinstance(each, type)
        and not issubclass(each, str | bytes)
        and (
            issubclass(each, list | tuple | set | frozenset) or each.__module__ == "collections.abc"
        )
        for each in kinds
    )


def _named(methods: Sequence[str]) -> str:
    return " and ".join(methods)
