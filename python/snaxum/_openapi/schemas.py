"""Schemas: the JSON Schema (2020-12) of a type, as a value of it is received or sent.

Owns the schemas of containers, unions and models. A class with a name becomes a component,
and a type of pydantic is left to pydantic. Never converts a value.
"""

from __future__ import annotations

import enum
import re
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
from decimal import Decimal
from typing import Any, Literal

from .._core.libraries import ByClass
from .._validation import constraints, models
from .._validation.faults import Unsupported
from .._validation.hints import (
    NONE,
    annotated,
    is_alias,
    is_class,
    members,
    name_of,
    unwrap,
    value_of,
    with_arguments,
)
from .by_pydantic import PydanticSchemas
from .choices import choice, choice_of_keys, enum_schema, values_of
from .components import Components, Mode, Schema
from .fields import documentation, shape_of
from .scalars import add_default, json_values, limited, scalar

_RAW = ByClass({"msgspec.Raw": True})
_LISTS = (list, Sequence, Iterable, Collection, MutableSequence, deque)
_SETS = (set, Set, MutableSet, frozenset)
_DICTS = (dict, Mapping, MutableMapping)
# The texts that are a key of a JSON object, for the types that not every text becomes.
_KEYS: dict[Any, Schema] = {
    int: {"pattern": "^-?(0|[1-9][0-9]*)$"},
    float: {"pattern": "^-?(0|[1-9][0-9]*)([.][0-9]+)?$"},
    bool: {"enum": ["true", "false"]},
    Decimal: {"pattern": "^-?(0|[1-9][0-9]*)([.][0-9]+)?$"},
}
_NO_LIMITS: dict[str, Any] = {}
# How deep the arguments of a generic class are nested. A class that refers to itself with other
# arguments has no end.
MAX_NESTING = 10


class Schemas:
    """The schemas of one document; a type without one may be anything."""

    def __init__(self) -> None:
        self._components = Components()
        self._pydantic = PydanticSchemas()
        # The mappings from a tag to the name of its component, to complete.
        self._mappings: list[tuple[dict[str, str], str, Schema]] = []
        self._is_describing = False

    def of(self, annotation: Any, mode: Mode, limits: Mapping[str, Any] = _NO_LIMITS) -> Schema:
        """Return the schema of a type, which is complete after `finish`."""
        if self._is_describing:
            return self._part(annotation, mode, limits)
        self._is_describing = True
        try:
            found = self._part(annotation, mode, limits)
            self._components.describe()
        finally:
            self._is_describing = False
        return found

    def check(self) -> None:
        """Raise Unsupported if pydantic cannot describe one of its types."""
        self._pydantic.check()

    def finish(self, taken: Container[str] = ()) -> dict[str, Schema]:
        """Complete all schemas; return the components by name, none of which is in `taken`."""
        by_pydantic = self._pydantic.finish(taken)
        own = self._components.finish(taken, by_pydantic)
        for mapping, tag, reference in self._mappings:
            mapping[tag] = reference["$ref"]
        return {**own, **by_pydantic}

    def _part(self, annotation: Any, mode: Mode, limits: Mapping[str, Any] = _NO_LIMITS) -> Schema:
        """Do the same for a part of a type, without the components that it refers to."""
        try:
            return self._of(annotation, mode, limits)
        except Unsupported:
            return {}

    def _of(self, annotation: Any, mode: Mode, limits: Mapping[str, Any]) -> Schema:
        annotation, metadata = unwrap(annotation)
        limits = {**constraints.read(metadata), **limits}
        if constraints.needs_pydantic(metadata):
            return self._pydantic.add(annotated(annotation, metadata), limits, mode)
        schema = self._of_type(annotation, mode, limits)
        if metadata:
            schema.update(_described(metadata))  # in place: a reference is completed later
        return schema

    def _of_type(self, annotation: Any, mode: Mode, limits: Mapping[str, Any]) -> Schema:
        if is_alias(annotation):
            return self._components.refer(
                annotation, mode, lambda: self._part(value_of(annotation), mode)
            )
        choices = members(annotation)
        if len(choices) > 1:
            return self._union(choices, mode, limits)
        if annotation in (Any, object) or isinstance(annotation, typing.TypeVar):
            return {}
        if annotation in (None, NONE):
            return {"type": "null"}
        base, args = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
        if base is Literal:
            return choice(values_of(annotation))
        if models.is_pydantic(base):
            return self._pydantic.add(annotation, limits, mode)
        found = scalar(base, mode)
        if found is not None:
            return limited(found, limits)
        if is_class(base) and issubclass(base, enum.Enum):
            return self._components.refer(base, "input", lambda: enum_schema(base))
        if models.is_model(base):
            if args and _nesting(annotation) > MAX_NESTING:
                raise Unsupported(f"`{name_of(base)}` contains itself with ever other arguments")
            return self._components.refer(
                annotation, mode, lambda: self._model(annotation, base, mode)
            )
        if base in _LISTS or base in _SETS or base is tuple:
            return limited(self._items(base, args, mode), limits)
        if base in _DICTS:
            return limited(self._dict(args, mode), limits)
        if models.is_of_pydantic(base):
            return self._pydantic.add(annotation, limits, mode)
        if mode in ("output", "struct") or (is_class(base) and _RAW.of_class(base)):
            return {}
        raise Unsupported(f"`{name_of(annotation)}` has no JSON form")

    def _union(self, choices: Sequence[Any], mode: Mode, limits: Mapping[str, Any]) -> Schema:
        left_out = (None, NONE) if mode == "text" else ()  # a text that is missing, as a rule
        chosen = [each for each in choices if each not in left_out]
        made = [
            self._part(each, mode, _NO_LIMITS if each in (None, NONE) else limits)
            for each in chosen
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
            parts = [] if args == ((),) else [self._part(each, mode) for each in args]
            sizes = {"minItems": len(parts), "maxItems": len(parts)}
            return {"type": "array", **({"prefixItems": parts} if parts else {}), **sizes}
        schema: Schema = {"type": "array", "items": self._part(args[0], mode) if args else {}}
        if base in _SETS:
            schema["uniqueItems"] = True
        return schema

    def _dict(self, args: tuple[Any, ...], mode: Mode) -> Schema:
        if not args:
            return {"type": "object"}
        schema: Schema = {"type": "object", "additionalProperties": self._part(args[1], mode)}
        if unwrap(args[0])[0] not in (str, Any):
            schema["propertyNames"] = self._key(args[0])
        return schema

    def _key(self, annotation: Any) -> Schema:
        """Return the schema of the texts that are a key of a JSON object."""
        key = unwrap(annotation)[0]
        choices = members(key)
        if len(choices) > 1:
            return {"anyOf": [self._key(each) for each in choices]}
        if key in _KEYS:
            return dict(_KEYS[key])
        values = values_of(key)
        if any(not isinstance(each, str) for each in values):
            return choice_of_keys(values)
        return self._part(annotation, "text")

    def _model(self, annotation: Any, base: Any, mode: Mode) -> Schema:
        title = re.sub(r"\w+\.", "", name_of(annotation))
        try:
            shape = shape_of(base, mode)
        except Unsupported:
            return {"title": title}
        arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(annotation)))
        inner: Mode = "input" if mode == "text" else mode
        if inner == "output" and models.is_struct(base):
            inner = "struct"
        properties: dict[str, Schema] = {}
        if shape.tag is not None:
            properties[shape.tag[0]] = choice([shape.tag[1]])
        for each in shape.fields:
            made = self._part(with_arguments(each.annotation, arguments), inner)
            add_default(made, each.default)
            properties[each.key] = made
        required = [each.key for each in shape.fields if each.is_required]
        if shape.tag is not None:
            required.insert(0, shape.tag[0])
        schema: Schema = {"title": title}
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


def _nesting(annotation: Any) -> int:
    """Return how deep the arguments of a type are nested."""
    return 1 + max(map(_nesting, typing.get_args(annotation)), default=0)


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
        found["examples"] = json_values(found["examples"])
    return found
