"""Models: the classes with named fields, and how a value of each is made.

Owns the fields of dataclasses, TypedDicts, NamedTuples, attrs classes and msgspec Structs. Never
converts a field, and imports no library.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core.libraries import ByClass
from .faults import Unsupported
from .hints import hints_of, is_class

_STRUCT = ByClass({"msgspec.Struct": True})
_PYDANTIC = ByClass({"pydantic.BaseModel": True, "pydantic.RootModel": True})


@dataclass(slots=True)
class ModelField:
    """One field: `key` is its name in JSON, `name` in Python.

    A field that is not required has `default`, unless it has `factory`. If unknown, it is `...`.
    """

    name: str
    key: str
    annotation: Any
    is_required: bool
    default: Any = None
    factory: Callable[[], Any] | None = None


@dataclass(slots=True)
class Model:
    """The fields of a class, and the function that makes a value of the given ones."""

    fields: list[ModelField]
    make: Callable[[dict[str, Any]], Any]
    # A list by position instead of an object by name.
    is_array: bool = False
    is_closed: bool = False
    # A field that has its default is not sent.
    omits_defaults: bool = False
    # The field that distinguishes tagged Structs, and its value.
    tag: tuple[str, Any] | None = None


def is_typed_dict(kind: Any) -> bool:
    """Report whether a class is a TypedDict, of `typing` or of `typing_extensions`."""
    return is_class(kind) and issubclass(kind, dict) and hasattr(kind, "__total__")


def is_struct(kind: Any) -> bool:
    return is_class(kind) and _STRUCT.of_class(kind) is not None


def is_pydantic(kind: Any) -> bool:
    """Report whether a class is a model or a dataclass of pydantic."""
    if not is_class(kind):
        return False
    if _PYDANTIC.of_class(kind):
        return True
    return "__pydantic_core_schema__" in vars(kind)


def is_of_pydantic(kind: Any) -> bool:
    """Report whether pydantic converts to a class, as to its own `HttpUrl`."""
    return hasattr(kind, "__get_pydantic_core_schema__") or (
        is_class(kind) and kind.__module__.partition(".")[0] == "pydantic"
    )


def is_model(kind: Any) -> bool:
    """Report whether a class has named fields; `kind` may be a generic one with its arguments."""
    kind = typing.get_origin(kind) or kind
    if not is_class(kind):
        return False
    return (
        is_pydantic(kind)
        or is_struct(kind)
        or is_typed_dict(kind)
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "__attrs_attrs__")
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )


def read(kind: Any) -> Model:
    """Return the fields of a model. Raises Unresolved, or Unsupported."""
    if is_typed_dict(kind):
        return _typed_dict(kind)
    if is_struct(kind):
        return _struct(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if hasattr(kind, "__attrs_attrs__"):
        return _attrs(kind)
    return _named_tuple(kind)


def made_fields(kind: Any) -> list[ModelField]:
    """Return the fields of a class that its constructor does not take."""
    if dataclasses.is_dataclass(kind):
        return _of_dataclass(kind, is_taken=False)
    return _of_attrs(kind, is_taken=False) if hasattr(kind, "__attrs_attrs__") else []


def read_pydantic(kind: Any) -> list[ModelField]:
    """Return the fields of a pydantic model; pydantic itself converts them."""
    fields = []
    for name, each in kind.model_fields.items():
        alias = each.validation_alias if isinstance(each.validation_alias, str) else each.alias
        fields.append(ModelField(name, alias or name, each.annotation, each.is_required()))
    return fields


def extra_of_pydantic(kind: Any) -> str:
    """Return what a pydantic model does with unknown fields: `forbid`, `allow` or `ignore`."""
    return str(kind.model_config.get("extra") or "ignore")


def _typed_dict(kind: Any) -> Model:
    hints = hints_of(kind)
    # With `from __future__ import annotations`, Python counts a quoted NotRequired as required.
    optional = {
        name for name, hint in hints.items() if "NotRequired" in str(typing.get_origin(hint))
    }
    required = set(kind.__required_keys__) - optional
    required |= {
        n for n, hint in hints.items() if str(typing.get_origin(hint)).endswith(".Required")
    }
    fields = [ModelField(name, name, hint, name in required) for name, hint in hints.items()]
    return Model(fields, dict)


def _dataclass(kind: Any) -> Model:
    return Model(_of_dataclass(kind, is_taken=True), lambda values: kind(**values))


def _of_dataclass(kind: Any, *, is_taken: bool) -> list[ModelField]:
    hints, missing = hints_of(kind), dataclasses.MISSING
    fields = []
    for each in dataclasses.fields(kind):
        if each.init is is_taken:
            factory = None if each.default_factory is missing else each.default_factory
            is_required = each.default is missing and factory is None
            default = None if each.default is missing else each.default
            fields.append(
                ModelField(each.name, each.name, hints[each.name], is_required, default, factory)
            )
    return fields


def _named_tuple(kind: Any) -> Model:
    hints, defaults = hints_of(kind), kind._field_defaults
    fields = [
        ModelField(name, name, hints.get(name, Any), name not in defaults, defaults.get(name))
        for name in kind._fields
    ]
    return Model(fields, lambda values: kind(**values), is_array=True)


def _attrs(kind: Any) -> Model:
    names = {each.name: each.alias for each in kind.__attrs_attrs__}
    return Model(
        _of_attrs(kind, is_taken=True),
        lambda values: kind(**{names[n]: v for n, v in values.items()}),
    )


def _of_attrs(kind: Any, *, is_taken: bool) -> list[ModelField]:
    hints = hints_of(kind)
    fields = []
    for each in kind.__attrs_attrs__:
        if each.init is is_taken:
            is_required = type(each.default).__name__ in ("_Nothing", "NOTHING")
            default, factory = None if is_required else each.default, None
            if type(each.default).__name__ == "Factory":
                # A factory that takes the object itself needs an object.
                default, factory = ..., None if each.default.takes_self else each.default.factory
            annotation = hints.get(each.name, Any)
            fields.append(
                ModelField(each.name, each.name, annotation, is_required, default, factory)
            )
    return fields


def _struct(kind: Any) -> Model:
    import msgspec

    hints, config = hints_of(kind), kind.__struct_config__
    try:
        infos = msgspec.structs.fields(kind)
    except Exception as error:
        raise Unsupported(f"msgspec cannot read `{kind.__name__}`: {error}") from None
    fields = [
        ModelField(
            each.name,
            each.encode_name,
            hints[each.name],
            each.required,
            None if each.default is msgspec.NODEFAULT else each.default,
            None if each.default_factory is msgspec.NODEFAULT else each.default_factory,
        )
        for each in infos
    ]
    tag = None if config.tag is None else (config.tag_field, config.tag)
    return Model(
        fields,
        lambda values: kind(**values),
        is_array=config.array_like,
        is_closed=config.forbid_unknown_fields,
        omits_defaults=config.omit_defaults and not config.array_like,
        tag=tag,
    )
