"""The schemas of pydantic's types, by pydantic itself, all in one call at the end.

Owns the collection, so that pydantic gives distinct names to two models of one name. Imports
pydantic with the first of its types only.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Container, Mapping
from typing import Any

from .._validation import libraries
from .._validation.faults import Unsupported
from .._validation.hints import is_class
from .components import PREFIX, Mode, Pending, Schema

_TEMPLATE = PREFIX + "{model}"
# The types of pydantic's core schemas that are described only if their class does it.
_OPAQUE = frozenset(("callable", "is-instance", "is-subclass", "function-plain", "call", "invalid"))
# The keywords with plain values, and the keywords with schemas by the names of the user.
_VALUES = frozenset(("default", "examples", "example", "const", "enum"))
_BY_NAME = frozenset(("properties", "patternProperties", "dependentSchemas", "$defs"))
# The classes that pydantic has described without an error, each with its modes.
_DESCRIBED: weakref.WeakKeyDictionary[type, set[str]] = weakref.WeakKeyDictionary()


class PydanticSchemas:
    """The types of pydantic in one document."""

    def __init__(self) -> None:
        self._adapters: dict[str, Any] = {}
        # By adapter and pydantic's mode, the schemas to complete.
        self._waiting: list[tuple[Any, str, Pending]] = []
        # The types that are in it.
        self._checks: list[tuple[Any, Any, str]] = []

    def add(self, annotation: Any, limits: Mapping[str, Any], mode: Mode) -> Schema:
        """Return a schema that `finish` completes. Raises Unresolved or Unsupported."""
        key = f"{id(annotation)} {annotation!r} {limits!r}"
        adapter = self._adapters.get(key)
        if adapter is None:
            adapter = self._adapters[key] = libraries.pydantic_adapter(annotation, limits)
        schema = Pending(adapter)
        of_pydantic = "serialization" if mode in ("output", "struct") else "validation"
        self._waiting.append((adapter, of_pydantic, schema))
        self._checks.append((annotation, adapter, of_pydantic))
        return schema

    def check(self) -> None:
        """Raise Unsupported if pydantic cannot describe one of its types."""
        for annotation, adapter, mode in self._checks:
            seen = _DESCRIBED.setdefault(annotation, set()) if is_class(annotation) else set()
            if mode not in seen:
                # A description takes milliseconds, and a search for such a part microseconds.
                if _has_opaque_part(adapter.core_schema):
                    _describe([(0, mode, adapter)])
                seen.add(mode)

    def finish(self, taken: Container[str]) -> dict[str, Schema]:
        """Complete the schemas; return the components, none of which has a name of `taken`.

        A type without a schema may be anything.
        """
        if not self._waiting:
            return {}
        inputs = [(number, mode, each) for number, (each, mode, _) in enumerate(self._waiting)]
        try:
            made, components = _describe(inputs)
        except Unsupported:
            made, components = _describe([each for each in inputs if _is_possible(each)])
        # A model that is received and sent in two forms: the first has its plain name.
        names = {}
        for name in components:
            short = name.removesuffix("-Input")
            names[name] = name if short != name and short in components else short
            if names[name] in taken:
                names[name] += ".2"
        for number, (_, mode, schema) in enumerate(self._waiting):
            schema.complete(_renamed(made.get((number, mode), {}), names))
        return {names[name]: _renamed(each, names) for name, each in components.items()}


def _describe(inputs: list[Any]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Return the schemas by number and mode, and the components. Raises Unsupported."""
    import pydantic

    try:
        made, definitions = pydantic.TypeAdapter.json_schemas(
            inputs, ref_template=_TEMPLATE, schema_generator=_generator()
        )
    except Exception as error:  # the user's own code may raise any
        reason = str(error).strip().partition("\n")[0]
        raise Unsupported(f"pydantic has no schema for it: {reason}") from None
    return dict(made), definitions.get("$defs", {})


@functools.cache
def _generator() -> Any:
    """Return pydantic's generator, without warnings: a default without a JSON form is left out."""
    from pydantic.json_schema import GenerateJsonSchema

    ignored = {*GenerateJsonSchema.ignored_warning_kinds, "non-serializable-default"}
    return type("Generator", (GenerateJsonSchema,), {"ignored_warning_kinds": ignored})


def _has_opaque_part(schema: Any) -> bool:
    """Report whether a core schema has a part that may have no JSON Schema."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("type") in _OPAQUE:
                return True
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return False


def _is_possible(one: Any) -> bool:
    try:
        _describe([one])
    except Unsupported:
        return False
    return True


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema whose references have the new names."""
    if isinstance(schema, list):
        return [_renamed(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, each in schema.items():
        if key in _VALUES:
            found[key] = each
        elif key in _BY_NAME and isinstance(each, dict):
            found[key] = {name: _renamed(inner, names) for name, inner in each.items()}
        elif key == "$ref":
            found[key] = _target(each, names)
        elif key == "discriminator" and isinstance(each, dict) and "propertyName" in each:
            tags = each.get("mapping", {})
            found[key] = {**each, "mapping": {tag: _target(tags[tag], names) for tag in tags}}
        else:
            found[key] = _renamed(each, names)
    return found


def _target(reference: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(reference, str) or not reference.startswith(PREFIX):
        return reference
    name = reference.removeprefix(PREFIX)
    return PREFIX + names.get(name, name)
