"""The fields of a model as JSON has them, and the docstring of its class.

Owns the difference between a value that is received and one that is sent: the fields that a
constructor does not take, and the fields that it does not need. Never describes a type.
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any

from .._validation import models
from .._validation.hints import is_unset, parts
from .components import Mode


@dataclass(slots=True)
class Shape:
    """The fields of a model, and the form of the whole."""

    fields: list[models.ModelField]
    is_array: bool
    is_closed: bool
    # The field that distinguishes tagged Structs, and its value.
    tag: tuple[str, Any] | None


def shape_of(kind: Any, mode: Mode) -> Shape:
    """Return the fields of a class that is not of pydantic. Raises Unresolved or Unsupported."""
    model = models.read(kind)
    fields = model.fields
    if mode in ("output", "struct"):
        fields = [_sent(each, kind) for each in [*fields, *models.made_fields(kind)]]
    return Shape(fields, model.is_array, model.is_closed, model.tag)


def documentation(kind: Any) -> str:
    """Return the docstring of a class, if a person wrote it."""
    text = vars(kind).get("__doc__")
    if not isinstance(text, str) or text == "An enumeration.":
        return ""
    is_made = (dataclasses.is_dataclass(kind) or issubclass(kind, tuple)) and text.startswith(
        f"{kind.__name__}("
    )
    return "" if is_made else inspect.cleandoc(text)


def _sent(field: models.ModelField, kind: Any) -> models.ModelField:
    """Return a field as it is sent: always, unless its class leaves it out of some values."""
    config = kind.__struct_config__ if models.is_struct(kind) else None
    is_optional = (
        models.is_typed_dict(kind)
        or (config is not None and config.omit_defaults and not config.array_like)
        or any(map(is_unset, parts(field.annotation)))
    )
    return field if is_optional else dataclasses.replace(field, is_required=True)
