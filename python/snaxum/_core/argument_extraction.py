"""Extracts the arguments of a handler from a request: generated code, and all faults.

Owns the code between the request and the call. Separate from `calls`: a project without such
parameters never imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._validation import libraries
from .._validation.faults import MAX_FAULTS, Faults
from ..http_errors import ValidationError
from .arguments import Argument
from .embedded_body import EmbeddedBody
from .text_models import TextModel
from .values import FoundFaults, TextValue, Value, value_of

# The texts of a request by name; a list of them in the first two.
_TEXTS = {
    "query": "request.query_params._values",
    "header": "request.headers._values",
    "cookie": "request.cookies",
    "path": "request.path_params",
}


def code(arguments: Sequence[Argument], scope: dict[str, Any]) -> list[str]:
    """Write the code that sets `a0`, `a1`, ... from `request`; its objects go to `scope`."""
    members = [number for number, each in enumerate(arguments) if each.is_embedded]
    values: dict[int, Value] = {}
    for number, each in enumerate(arguments):
        if number not in members:
            values[number] = TextModel(each) if each.is_text_model else value_of(each)
    if members:  # one value, which has all of them
        values[members[0]] = EmbeddedBody({number: arguments[number] for number in members})
    scope["extract"] = _Extractor([*values.values()])
    lines = [f" {line}" for line in _straight(values, scope)]
    names = "".join(f"{_target(number, value)}, " for number, value in values.items())
    return ["try:", *lines, "except Exception:", f" {names}= extract(request)"]


class _Extractor:
    """Returns every value, one by one. Raises ValidationError with all their faults."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = values

    def __call__(self, request: Any) -> list[Any]:
        found: FoundFaults = []
        filled = [each.fill(request, found) for each in self.values]
        if found:
            errors = [
                {"in": part, "loc": list(fault.loc), "msg": fault.msg, "type": fault.type}
                for part, fault in found[:MAX_FAULTS]
            ]
            has_more = len(found) > len(errors)
            note = f"the first {len(errors)} faults are listed" if has_more else ""
            raise ValidationError(errors, note)
        return filled


def _straight(values: Mapping[int, Value], scope: dict[str, Any]) -> list[str]:
    """Write the code for a request without faults; it sets `a0`, `a1`, ..."""
    lines = [
        f"{source} = {text}"
        for source, text in _TEXTS.items()
        if any(each.argument.source == source for each in values.values())
    ]
    # The values that msgspec converts, in one call, each with its number.
    converted: list[tuple[int, TextValue]] = []
    for number, value in values.items():
        argument, name = value.argument, _target(number, value)
        if not isinstance(value, TextValue) or argument.source not in _TEXTS:
            scope[f"get{number}"] = value.get
            lines.append(f"{name} = get{number}(request)")
            continue
        scope[f"d{number}"] = value.default if value.is_default_copied else argument.default
        sent = _sent(argument)
        target = name
        if value.engine.is_plain:
            pass
        elif value.engine.type is not None:
            converted.append((number, value))
            target = f"given['f{number}']"
            if value.engine.prepare is not None:
                scope[f"p{number}"] = value.engine.prepare
                sent = f"p{number}({sent})"
        else:
            scope[f"c{number}"] = _converter(value)
            sent = f"c{number}({sent})"
        key = repr(argument.key.lower() if argument.source == "header" else argument.key)
        if argument.is_required:
            lines += [f"v = {argument.source}[{key}]", f"{target} = {sent}"]
            continue
        lines.append(f"v = {argument.source}.get({key})")
        lines.append(f"if v is not None: {target} = {sent}")
        if target == name:
            lines.append(f"else: {name} = {_default(number, value)}")
    if converted:
        lines = ["given = {}", *lines, *_conversion(converted, scope)]
    return lines


def _target(number: int, value: Value) -> str:
    """Return the names that a value is assigned to."""
    numbers = value.numbers if isinstance(value, EmbeddedBody) else [number]
    names = ", ".join(f"a{each}" for each in numbers)
    return f"({names},)" if isinstance(value, EmbeddedBody) else names


def _default(number: int, value: Value) -> str:
    """Return the expression for the default of a value; `d0`, ... are in the scope."""
    return f"d{number}()" if value.is_default_copied else f"d{number}"


def _sent(argument: Argument) -> str:
    """Return the expression for the texts `v` of one name, as the type wants them."""
    if argument.source == "path":
        return "str(v)"
    has_many = argument.source in ("query", "header")
    if argument.is_list:
        return "v" if has_many else "[v]"
    return "v[-1]" if has_many else "v"


def _converter(value: TextValue) -> Any:
    explain, loc = value.engine.explain, (value.argument.key,)

    def convert(sent: Any) -> Any:
        faults = Faults()
        result = explain(sent, loc, faults)
        if faults:
            raise ValueError
        return result

    return convert


def _conversion(converted: list[tuple[int, TextValue]], scope: dict[str, Any]) -> list[str]:
    """Write the one call of msgspec that converts the texts in `given`."""
    msgspec = libraries.msgspec()
    scope["convert"] = msgspec.convert
    if len(converted) == 1:
        ((number, value),) = converted
        scope["kind"] = value.engine.type
        lines = [f"a{number} = convert(given['f{number}'], kind, strict=False)"]
    else:
        fields = []
        for number, value in converted:
            field: tuple[Any, ...] = (f"f{number}", value.engine.type)
            if not value.argument.is_required:
                field = (*field, msgspec.field(default_factory=value.default))
            fields.append(field)
        # Required fields come first, unless they are all by name.
        scope["kind"] = msgspec.defstruct("Arguments", fields, kw_only=True, gc=False)
        lines = ["s = convert(given, kind, strict=False)"]
        lines += [f"a{number} = s.f{number}" for number, _ in converted]
    if any(value.argument.is_required for _, value in converted):
        return lines
    otherwise = "; ".join(f"a{number} = {_default(number, value)}" for number, value in converted)
    return ["if given:", *(f" {line}" for line in lines), f"else: {otherwise}"]
