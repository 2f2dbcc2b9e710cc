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
from .._core.libraries import form_of_class
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
    plain = _Plain(annotation)

    def convert(result: Any) -> Any:
        faults = Faults()
        try:
            value = engine.explain(plain(result), (), faults)
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


class _Plain:
    """Returns values as JSON has them; of an object the attributes that a model of a type has."""

    def __init__(self, annotation: Any) -> None:
        # The attributes, each with its name in JSON.
        self._keys: dict[str, str] = {}
        _add_keys(annotation, self._keys, set())
        # By class, the function that returns a value of it; made with the first one.
        self._writers: dict[type, Callable[[Any], Any]] = dict(_TEXTS)

    def __call__(self, value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is dict:
            return {
                key if type(key) is str else self(key): item
                if type(item) in _SCALARS
                else self(item)
                for key, item in value.items()
            }
        if kind is list:
            return [item if type(item) in _SCALARS else self(item) for item in value]
        write = self._writers.get(kind)
        if write is None:
            write = self._writers[kind] = self._writer_of(kind)
        return write(value)

    def _writer_of(self, kind: type) -> Callable[[Any], Any]:
        if issubclass(kind, enum.Enum):
            return lambda value: self(value.value)
        if issubclass(kind, Mapping):
            return lambda value: {self(key): self(item) for key, item in value.items()}
        is_record = models.is_model(kind)
        if issubclass(kind, list | tuple | set | frozenset) and not is_record:
            return lambda value: [self(item) for item in value]
        form = None if is_record else form_of_class(kind)
        if form is not None:
            return lambda value: self(form(value))
        config: Any = getattr(kind, "__struct_config__", None) if is_record else None
        tag = {} if config is None or config.tag is None else {config.tag_field: config.tag}

        def write(value: Any) -> Any:
            found = {k: self(getattr(value, n)) for n, k in self._keys.items() if hasattr(value, n)}
            return {**found, **tag} if found or is_record else value

        return write


def _duration(value: dt.timedelta) -> str:
    return f"{'-' if value < dt.timedelta() else ''}PT{abs(value).total_seconds():f}S"


_SCALARS = frozenset((str, int, float, bool, type(None)))
_TEXTS: dict[type, Callable[[Any], str]] = {
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _duration,
    uuid.UUID: str,
    Decimal: str,
    bytes: lambda value: base64.b64encode(value).decode(),
}
