"""Schemas: the JSON Schema (2020-12) of a type, as a value of it is received or sent.

Owns the schemas of containers, unions, enums and models. A class with a name becomes a component,
and a type of pydantic is left to pydantic. Never converts a value.
"""

from __future__ import annotations

import enum
import typing
from collections import deque
from collections.abc import (
    Collection,
    Container,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from typing import Any, Literal

from .._core.libraries import ByClass
from .._validation import constraints, models
from .._validation.faults import Unsupported
from .._validation.hints import NONE, is_class, members, name_of, unwrap, with_arguments
from ..markers import MISSING
from .by_pydantic import PydanticSchemas
from .components import Components, Mode, Schema
from .fields import documentation, shape_of
from .scalars import add_default, json_value, limited, scalar

_RAW = ByClass({"msgspec.Raw": True})
_LISTS = (list, Sequence, Iterable, Collection, MutableSequence, deque)
_SETS = (set, Set, MutableSet, frozenset)
_DICTS = (dict, Mapping, MutableMapping)
# The texts that are a key of a JSON object, for the types that not every text becomes.
_KEYS: dict[Any, Schema] = {
    int: {"pattern": "^-?(0|[1-9][0-9]*)$"},
    float: {"pattern": "^-?(0|[1-9][0-9]*)([.][0-9]+)?$"},
    bool: {"enum": ["true", "false"]},
}
_NO_LIMITS: dict[str, Any] = {}


class Schemas:
    """The schemas of one document; unless they are strict, a type without one may be anything."""

    def __init__(self, *, is_strict: bool = False) -> None:
        self._is_strict = is_strict
        self._components = Components()
        self._pydantic = PydanticSchemas()
        # The mappings from a tag to the name of its component, to complete.
        self._mappings: list[tuple[dict[str, str], str, Schema]] = []

    def of(self, annotation: Any, mode: Mode, limits: Mapping[str, Any] = _NO_LIMITS) -> Schema:
        """Return the schema of a type, which is complete after `finish`.

        Raises Unresolved, or Unsupported, for a type without one, if this is strict.
        """
        try:
            return self._of(annotation, mode, limits)
        except Unsupported:
            if self._is_strict:
                raise
            return {}

    def check(self) -> None:
        """Raise Unsupported if one of the types has no schema."""
        self._pydantic.check()

    def finish(self, taken: Container[str] = ()) -> dict[str, Schema]:
        """Complete all schemas; return the components by name, none of which is in `taken`."""
        by_pydantic = self._pydantic.finish(taken)
        own = self._components.finish(taken, by_pydantic)
        for mapping, tag, reference in self._mappings:
            mapping[tag] = reference["$ref"]
        return {**own, **by_pydantic}

    def _of(self, annotation: Any, mode: Mode, limits: Mapping[str, Any]) -> Schema:
        annotation, metadata = unwrap(annotation)
        limits = {**constraints.read(metadata), **limits}
        if constraints.needs_pydantic(metadata):
            for each in metadata:
                annotation = typing.Annotated[annotation, each]
            return self._pydantic.add(annotation, limits, mode)
        try:
            schema = self._of_type(annotation, mode, limits)
        except RecursionError:
            raise Unsupported(f"`{name_of(annotation)}` contains itself") from None
        if metadata:
            schema.update(_described(metadata))  # in place: a reference is completed later
        return schema

    def _of_type(self, annotation: Any, mode: Mode, limits: Mapping[str, Any]) -> Schema:
        choices = members(annotation)
        if len(choices) > 1:
            return self._union(choices, mode, limits)
        if annotation in (Any, object) or isinstance(annotation, typing.TypeVar):
            return {}
        if annotation in (None, NONE):
            return {"type": "null"}
        base, args = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
        if base is Literal:
            return choice([v for each in args for v in (each if type(each) is tuple else [each])])
        if models.is_pydantic(base):
            return self._pydantic.add(annotation, limits, mode)
        found = scalar(base, mode)
        if found is not None:
            return limited(found, limits)
        if is_class(base) and issubclass(base, enum.Enum):
            return self._components.refer(base, "input", lambda: _enum(base))
        if models.is_model(base):
            return self._components.refer(
                annotation, mode, lambda: self._model(annotation, base, mode)
            )
        if base in _LISTS or base in _SETS or base is tuple:
            return limited(self._items(base, args, mode), limits)
        if base in _DICTS:
            return limited(self._dict(args, mode), limits)
        if models.is_of_pydantic(base):
            return self._pydantic.add(annotation, limits, mode)
        if mode in ("output", "struct") or _RAW.of_class(base):
            return {}
        raise Unsupported(f"`{name_of(annotation)}` has no JSON form")

    def _union(self, choices: Sequence[Any], mode: Mode, limits: Mapping[str, Any]) -> Schema:
        left_out = (None, NONE) if mode == "text" else ()  # a text that is missing, as a rule
        chosen = [
            each
            for each in choices
            if each not in left_out and getattr(each, "__name__", "") != "UnsetType"
        ]
        made = [
            self.of(each, mode, _NO_LIMITS if each in (None, NONE) else limits) for each in chosen
        ]
        # Two types may have one schema.
        distinct = [each for at, each in enumerate(made) if each not in made[:at] or not each]
        if len(distinct) == 1:
            return distinct[0]
        schema: Schema = {"anyOf": distinct}
        structs = [(each, ref) for each, ref in zip(chosen, made) if each not in (None, NONE)]
        tags = [(*tag, ref) for each, ref in structs if (tag := _tag(unwrap(each)[0]))]
        if 1 < len(tags) == len(structs):
            mapping: dict[str, str] = {}
            schema["discriminator"] = {"propertyName": tags[0][0], "mapping": mapping}
            self._mappings += [(mapping, tag, reference) for _, tag, reference in tags]
        return schema

    def _items(self, base: Any, args: tuple[Any, ...], mode: Mode) -> Schema:
        if base is tuple and args and args[-1] is not Ellipsis:
            parts = [] if args == ((),) else [self.of(each, mode) for each in args]
            sizes = {"minItems": len(parts), "maxItems": len(parts)}
            return {"type": "array", **({"prefixItems": parts} if parts else {}), **sizes}
        schema: Schema = {"type": "array", "items": self.of(args[0], mode) if args else {}}
        if base in _SETS:
            schema["uniqueItems"] = True
        return schema

    def _dict(self, args: tuple[Any, ...], mode: Mode) -> Schema:
        if not args:
            return {"type": "object"}
        schema: Schema = {"type": "object", "additionalProperties": self.of(args[1], mode)}
        key = unwrap(args[0])[0]
        if key not in (str, Any):
            names = _KEYS.get(key)
            schema["propertyNames"] = dict(names) if names else self.of(args[0], "text")
        return schema

    def _model(self, annotation: Any, base: Any, mode: Mode) -> Schema:
        shape = shape_of(base, mode)
        arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(annotation)))
        inner: Mode = "input" if mode == "text" else mode
        if inner == "output" and models.is_struct(base):
            inner = "struct"
        properties: dict[str, Schema] = {}
        if shape.tag is not None:
            properties[shape.tag[0]] = choice([shape.tag[1]])
        for each in shape.fields:
            made = self.of(with_arguments(each.annotation, arguments), inner)
            if not each.is_required:
                add_default(made, each.default)
            properties[each.key] = made
        required = [each.key for each in shape.fields if each.is_required]
        if shape.tag is not None:
            required.insert(0, shape.tag[0])
        schema: Schema = {"title": name_of(annotation).rpartition(".")[2]}
        if text := documentation(base):
            schema["description"] = text
        if shape.is_array:
            parts = list(properties.values())
            return {
                **schema,
                "type": "array",
                "prefixItems": parts,
                "minItems": len(required),
                "maxItems": len(parts),
            }
        schema |= {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if shape.is_closed:
            schema["additionalProperties"] = False
        return schema


def choice(values: Sequence[Any]) -> Schema:
    """Return the schema of one of some values."""
    kinds = {_NAMES.get(type(value)) for value in values}
    shown = [value.value if isinstance(value, enum.Enum) else value for value in values]
    schema: Schema = {"enum": shown}
    if len(kinds) == 1 and (kind := kinds.pop()):
        schema = {"type": kind, **schema}
    return schema


_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", NONE: "null"}


def _enum(kind: type[enum.Enum]) -> Schema:
    schema = {"title": kind.__name__, **choice([each.value for each in kind])}
    if text := documentation(kind):
        schema["description"] = text
    return schema


def _tag(kind: Any) -> tuple[str, str] | None:
    """Return the field that distinguishes a Struct, and its value, if there is one."""
    if not models.is_struct(kind) or kind.__struct_config__.array_like:
        return None
    config = kind.__struct_config__
    return None if config.tag is None else (str(config.tag_field), str(config.tag))


def _described(metadata: Sequence[Any]) -> Schema:
    found = constraints.describe(metadata)
    found.pop("alias", None)
    for each in metadata:
        if constraints.library_of(each) == "msgspec":
            extra = getattr(each, "extra_json_schema", None)
            found.update(extra if isinstance(extra, dict) else {})
    if "examples" in found:
        values = [json_value(each) for each in found["examples"]]
        found["examples"] = [each for each in values if each is not MISSING]
    return found
