"""The parameters of an operation and the body of its request, from the arguments of a route.

Owns the places of values in a request. Never describes a response.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core import frames, sources
from .._core.arguments import Argument
from .._core.patterns import Converter
from .._core.text_models import fields_of
from .._validation.hints import members
from .components import Schema
from .scalars import add_default, json_values
from .schemas import Schemas

_PLACES = ("path", "query", "header", "cookie")
# Headers that OpenAPI describes elsewhere, or not at all.
_OWN_HEADERS = ("accept", "content-type", "authorization")
_CONVERTERS: dict[str, Schema] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "minimum": 0},
    "uuid": {"type": "string", "format": "uuid"},
}
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
BINARY: Schema = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
}


def parameters(
    arguments: Iterable[Argument],
    params: Iterable[tuple[str, Converter]],
    names: Mapping[str, str],
    schemas: Schemas,
) -> list[dict[str, Any]]:
    """List the parameters; `names` maps the names in the pattern to the names in the document."""
    by_place = _by_key(arguments)
    found = []
    for name, converter in params:
        schema = dict(_CONVERTERS.get(converter.name, {"type": "string", "minLength": 1}))
        parameter = {"name": names[name], "in": "path", "required": True}
        argument = by_place.pop(("path", name), None)
        if argument is not None:
            parameter |= _described(argument)
            if not argument.is_as_matched:
                own = schemas.of(argument.annotation, "text", argument.limits)
                schema = {**schema, **own} if own.get("type") == schema["type"] else own
            _add_texts(schema, argument)
        found.append({**parameter, "schema": schema})
    for (place, _), argument in by_place.items():
        is_own = place == "header" and argument.key.lower() in _OWN_HEADERS
        if place in _PLACES and not is_own:
            found.append(_parameter(argument, schemas))
    return found


def request_body(
    arguments: Iterable[Argument], schemas: Schemas, *, streams_body: bool
) -> dict[str, Any] | None:
    """Describe the body of a request; None if the arguments do not read it."""
    form: list[Argument] = []
    arguments = list(arguments)
    embedded = [each for each in arguments if each.is_embedded]
    if embedded:
        return _object(embedded, schemas)
    for argument in arguments:
        if argument.source == "body":
            return _body(argument, schemas)
        if argument.source in ("form", "file"):
            form += _parts(argument)
    if form:
        return _form(form, schemas)
    if streams_body:
        return {"content": {"application/octet-stream": {"schema": dict(BINARY)}}}
    return None


def may_be_invalid(arguments: Iterable[Argument]) -> bool:
    """Report whether a request may have a value that does not fit its argument: a 422."""
    for each in arguments:
        if each.is_as_matched or each.source not in (*sources.TEXTS, "file", "body"):
            continue
        is_text = each.source in sources.TEXTS and not each.limits and each.annotation is not None
        is_any_text = is_text and str in members(each.annotation)
        if each.source == "path" and is_any_text:
            continue
        if each.is_required or not (is_any_text or each.source == "file"):
            return True
    return False


def _by_key(arguments: Iterable[Argument]) -> dict[tuple[str, str], Argument]:
    """Return the arguments by place and name; two may read one value."""
    found: dict[tuple[str, str], Argument] = {}
    for argument in arguments:
        for each in _parts(argument):
            found.setdefault((str(each.source), each.key), each)
    return found


def _parts(argument: Argument) -> list[Argument]:
    """Return the values that an argument is made of: the fields of a model of texts."""
    return fields_of(argument) if argument.is_text_model else [argument]


def _parameter(argument: Argument, schemas: Schemas) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": argument.key, "in": argument.source}
    if argument.is_required:
        parameter["required"] = True
    parameter |= _described(argument)
    return {**parameter, "schema": _text_schema(argument, schemas)}


def _text_schema(argument: Argument, schemas: Schemas) -> Schema:
    schema = schemas.of(argument.annotation, "text", argument.limits)
    if not argument.is_required:
        add_default(schema, argument.default)
    else:
        _need_an_item(schema)
    _add_texts(schema, argument)
    return schema


def _need_an_item(schema: Schema) -> None:
    """Describe that a list without items is a missing value: it is sent as nothing."""
    if schema.get("type") == "array":
        schema.setdefault("minItems", 1)


def _described(argument: Argument) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if argument.description:
        found["description"] = argument.description
    if argument.is_deprecated:
        found["deprecated"] = True
    return found


def _add_texts(schema: Schema, argument: Argument) -> None:
    if argument.title:
        schema["title"] = argument.title
    if examples := json_values(argument.examples):
        schema["examples"] = examples


def _body(argument: Argument, schemas: Schemas) -> dict[str, Any]:
    if argument.reader is None:
        schema = schemas.of(argument.annotation, "input", argument.limits)
        media: dict[str, Any] = {"schema": schema}
        if argument.title:
            schema["title"] = argument.title
        if examples := json_values(argument.examples):
            media["examples"] = {
                f"example {number}": {"value": each} for number, each in enumerate(examples, 1)
            }
        content = {"application/json": media}
    else:
        content = frame_content()
    found: dict[str, Any] = {"content": content}
    if argument.description:
        found["description"] = argument.description
    return {**found, "required": argument.is_required}


def _object(arguments: list[Argument], schemas: Schemas) -> dict[str, Any]:
    """Describe the body whose members are parameters."""
    properties: dict[str, Schema] = {}
    for argument in arguments:
        schema = schemas.of(argument.annotation, "input", argument.limits)
        if not argument.is_required:
            add_default(schema, argument.default)
        _add_texts(schema, argument)
        schema.update(_described(argument))
        properties[argument.key] = schema
    required = [each.key for each in arguments if each.is_required]
    whole: Schema = {"type": "object", "properties": properties}
    if required:
        whole["required"] = required
    return {"content": {"application/json": {"schema": whole}}, "required": bool(required)}


def frame_content() -> dict[str, Any]:
    """Return the media types of a data frame."""
    row: Schema = {"type": "object"}
    texts: dict[str, Schema] = {
        frames.JSON: {"type": "array", "items": row},
        frames.LINES: {"type": "string"},
        frames.CSV: {"type": "string"},
    }
    return {each: {"schema": dict(texts.get(each, BINARY))} for each in frames.FORMATS}


def _form(arguments: list[Argument], schemas: Schemas) -> dict[str, Any]:
    properties: dict[str, Schema] = {}
    required = []
    for argument in arguments:
        if argument.source == "file":
            schema = _file_schema(argument)
            _add_texts(schema, argument)
        else:
            schema = _text_schema(argument, schemas)
        schema.update(_described(argument))
        properties.setdefault(argument.key, schema)
        if argument.is_required:
            required.append(argument.key)
    whole: Schema = {"type": "object", "properties": properties}
    if required:
        whole["required"] = required
    has_file = any(each.source == "file" for each in arguments)
    kinds = [MULTIPART] if has_file else [URLENCODED, MULTIPART]
    return {
        "content": {kind: {"schema": whole} for kind in kinds},
        "required": bool(required),
    }


def _file_schema(argument: Argument) -> Schema:
    if not argument.is_list:
        return dict(BINARY)
    schema: Schema = {"type": "array", "items": dict(BINARY)}
    if argument.is_required:
        _need_an_item(schema)
    return schema
