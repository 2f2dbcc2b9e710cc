"""Conversion by msgspec and pydantic, where the project has them.

Owns the only imports of the two, which happen when a handler first needs them. Neither is required:
without msgspec the standard library converts, and pydantic comes with its models.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

from . import constraints
from .faults import INVALID, MAX_FAULTS, Convert, Fault, Faults, Loc, Unresolved, Unsupported


@functools.cache
def msgspec() -> Any:
    """Return msgspec, or None where it is not installed."""
    try:
        import msgspec
    except ImportError:
        return None
    return msgspec


def unset() -> Any:
    """Return `msgspec.UNSET`, a field that is not sent; a new object if none can have it."""
    return getattr(sys.modules.get("msgspec"), "UNSET", object())


def meta(limits: constraints.Constraints) -> Any:
    """Return msgspec's form of limits; None if it has none for them."""
    try:
        return msgspec().Meta(**limits)
    except (TypeError, ValueError):
        return None


def pydantic_adapter(annotation: Any, limits: constraints.Constraints) -> Any:
    """Return pydantic's converter for a type. Raises Unresolved, or Unsupported."""
    import pydantic

    if limits:
        annotation = Annotated[annotation, pydantic.Field(**limits)]
    try:
        adapter = pydantic.TypeAdapter(annotation)
        adapter.rebuild()
    except (pydantic.PydanticUndefinedAnnotation, NameError) as error:
        raise Unresolved(f"`{error.name}`, in `{annotation}`, is not defined") from None
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise Unsupported(f"pydantic cannot convert to `{annotation}`: {reason}") from None
    return adapter


def pydantic_part(
    annotation: Any, limits: constraints.Constraints, *, is_json: bool = False
) -> Convert:
    """Return the function that converts by pydantic, with pydantic's own faults."""
    return adapter_part(pydantic_adapter(annotation, limits), is_json=is_json)


def adapter_part(adapter: Any, *, is_json: bool = False) -> Convert:
    """Return the function that converts by a pydantic.TypeAdapter.

    With `is_json` the values are decoded JSON: a strict model takes the text of a date there, and
    no text among values of Python.
    """
    import pydantic

    def validate_json(value: Any) -> Any:
        try:
            return adapter.validate_json(json.dumps(value))
        except pydantic.ValidationError as error:
            if json_faults(error) is None:  # nested deeper than pydantic reads JSON
                return adapter.validate_python(value)
            raise

    validate: Callable[[Any], Any] = validate_json if is_json else adapter.validate_python

    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        try:
            return validate(value)
        except pydantic.ValidationError as error:
            faults.extend(pydantic_faults(error, loc))
            return INVALID

    return convert


def json_faults(error: Exception) -> list[Fault] | None:
    """Return the faults that pydantic has found in a text; None if that is not JSON."""
    import pydantic

    if not isinstance(error, pydantic.ValidationError):
        return None
    found = pydantic_faults(error, ())
    return None if found[0].type == "json_invalid" else found


def pydantic_faults(error: Any, loc: Loc) -> list[Fault]:
    """Return the faults of a pydantic.ValidationError; one for all, if they are too many."""
    count = error.error_count()
    if count > 10 * MAX_FAULTS:  # pydantic lists all of them or none
        return [Fault(loc, f"has {count} faults, which are too many to list", "too_many_faults")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [Fault((*loc, *each["loc"]), _sentence(each), each["type"]) for each in found]


def _sentence(fault: Any) -> str:
    if fault["type"] == "missing":
        return "is missing"
    text: str = fault["msg"]
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
