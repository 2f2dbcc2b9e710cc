"""Results: what a handler returned, as the model that its route declares for it.

Owns the conversion in the other direction: from objects to the fields that a model has, and no
others. pydantic converts to its own models, and msgspec or the standard library to all others.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import typing
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from .._core.json_decoding import loads
from .._core.libraries import form_of
from . import engines, libraries, models
from .faults import Fault, Faults, TooManyFaults
from .hints import is_class, members, name_of, unwrap

Convert = Callable[[Any], Any]


class ResultError(TypeError):
    """A result that does not have the type that its route promises."""


def converter(annotation: Any) -> Convert:
    """Return the function that converts a result to a type. Raises Unresolved or Unsupported.

    It takes mappings, and objects by their attributes, and raises ResultError.
    """
    engine = engines.for_body(annotation, {}, loads)
    if engine.adapter is not None:
        return _by_pydantic(engine.adapter, _shown(annotation))
    keys: dict[str, str] = {}
    _add_keys(annotation, keys, set())

    def convert(result: Any) -> Any:
        faults = Faults()
        try:
            value = engine.explain(_plain(result, keys), (), faults)
        except TooManyFaults:
            value = None
        if faults:
            raise _error(faults, _shown(annotation))
        return value

    return convert


def _shown(annotation: Any) -> str:
    return name_of(annotation) if is_class(annotation) else str(annotation).replace("typing.", "")


def _by_pydantic(adapter: Any, name: str) -> Convert:
    import pydantic

    def convert(result: Any) -> Any:
        try:
            value = adapter.validate_python(result, from_attributes=True)
        except pydantic.ValidationError as error:
            raise _error(libraries.pydantic_faults(error, ()), name) from None
        return adapter.dump_python(value, mode="json", by_alias=True)

    return convert


def _error(faults: list[Fault], name: str) -> ResultError:
    first, *more = faults
    place = ".".join(map(str, first.loc))
    others = f"; {len(more)} more fault{'s' if len(more) > 1 else ''}" if more else ""
    subject = f"`{place}`" if place else "it"
    colon = "" if first.msg.startswith(("must ", "is ")) else ":"
    return ResultError(f"the result does not fit `{name}`: {subject}{colon} {first.msg}{others}")


def _add_keys(annotation: Any, keys: dict[str, str], seen: set[int]) -> None:
    """Add the attributes of all models in a type, each with its name in JSON."""
    annotation = unwrap(annotation)[0]
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    for each in (*members(annotation), *typing.get_args(annotation)):
        if each is not annotation:
            _add_keys(each, keys, seen)
    base = typing.get_origin(annotation) or annotation
    if models.is_model(base):
        fields = (
            models.read_pydantic(base) if models.is_pydantic(base) else models.read(base).fields
        )
        for field in fields:
            keys.setdefault(field.name, field.key)
            _add_keys(field.annotation, keys, seen)


def _plain(value: Any, keys: Mapping[str, str]) -> Any:
    """Return a value as JSON has it; of an object the attributes in `keys`."""
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if isinstance(value, enum.Enum):
        return _plain(value.value, keys)
    if isinstance(value, Mapping):
        return {_plain(key, keys): _plain(item, keys) for key, item in value.items()}
    is_record = models.is_model(kind)
    if isinstance(value, list | tuple | set | frozenset) and not is_record:
        return [_plain(item, keys) for item in value]
    if (write := _TEXTS.get(kind)) is not None:
        return write(value)
    form = None if is_record else form_of(value)
    if form is not None:
        return _plain(form(value), keys)
    found = {key: _plain(getattr(value, n), keys) for n, key in keys.items() if hasattr(value, n)}
    if models.is_struct(kind) and kind.__struct_config__.tag is not None:
        found[kind.__struct_config__.tag_field] = kind.__struct_config__.tag
    return found if found or is_record else value


def _duration(value: dt.timedelta) -> str:
    return f"{'-' if value < dt.timedelta() else ''}PT{abs(value).total_seconds():f}S"


_TEXTS: dict[type, Callable[[Any], str]] = {
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _duration,
    uuid.UUID: str,
    Decimal: str,
    bytes: lambda value: base64.b64encode(value).decode(),
}
