"""Engines: which library converts to a type, and the straight way to it.

Owns the choice, made once for each parameter: msgspec where it is installed and has the type,
pydantic for its own models, else the standard library. All of them report faults in one form.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from . import libraries, scalars
from .faults import INVALID, Convert, Fault, Faults, Loc, Unsupported
from .hints import NONE, members, union, unwrap
from .standard import Builder


@dataclass(slots=True)
class TextEngine:
    """Converts texts; `explain` reports every fault."""

    explain: Convert
    # The text is the value.
    is_plain: bool
    # The type as msgspec reads it; None if it cannot.
    type: Any
    # The function that rewrites a text that msgspec reads otherwise.
    prepare: Callable[[Any], Any] | None


def for_text(annotation: Any, limits: Mapping[str, Any]) -> TextEngine:
    """Choose the engine for a parameter that is sent as text. Raises Unsupported."""
    builder = Builder(is_text=True)
    convert = builder.build(annotation, limits)
    is_plain = not limits and str in members(annotation)
    is_beyond = builder.uses_pydantic or builder.is_beyond_msgspec or _is_mixed(annotation)
    kind = None if is_beyond else _typed(annotation, limits)
    if kind is None:
        return TextEngine(convert, is_plain, None, None)
    native = libraries.msgspec().convert
    prepare = _prepare(annotation)

    def attempt(value: Any) -> Any:
        return native(prepare(value) if prepare else value, kind, strict=False)

    return TextEngine(_explained(attempt, convert), is_plain, kind, prepare)


@dataclass(slots=True)
class BodyEngine:
    """Converts a JSON body from its bytes, or the decoded value of one."""

    decode: Callable[[bytes], Any]
    explain: Convert
    # Returns the faults that `decode` has raised itself, if it knows them all.
    faults: Callable[[Exception], list[Fault] | None]
    is_by_pydantic: bool = False


def for_body(
    annotation: Any,
    limits: Mapping[str, Any],
    loads: Callable[[bytes], Any],
    *,
    takes_text: bool = False,
) -> BodyEngine:
    """Choose the engine for a JSON body. Raises Unsupported.

    With `takes_text` a single number or bool may be sent as text too.
    """
    builder = Builder(is_text=False)
    convert = builder.build(annotation, limits)
    if takes_text and all(any(each is kind for kind in _FROM_TEXT) for each in members(annotation)):
        return _for_scalar(annotation, limits, convert, loads)
    if builder.uses_pydantic and not builder.is_beyond_pydantic:
        try:
            adapter = libraries.pydantic_adapter(annotation, limits)
        except Unsupported:
            pass  # a Struct with a field that is a pydantic model
        else:
            explain = libraries.adapter_part(adapter, is_json=True)
            validate = functools.partial(_decode_finite, adapter.validate_json, loads)
            return BodyEngine(validate, explain, libraries.json_faults, is_by_pydantic=True)
    kind = (
        None if builder.uses_pydantic or builder.is_beyond_msgspec else _typed(annotation, limits)
    )
    if kind is not None:
        msgspec = libraries.msgspec()
        attempt = functools.partial(msgspec.convert, type=kind)
        decoder = msgspec.json.Decoder(kind)
        return BodyEngine(decoder.decode, _explained(attempt, convert), _unknown)

    return _by_standard(convert, loads)


def _by_standard(convert: Convert, loads: Callable[[bytes], Any]) -> BodyEngine:
    def decode(data: bytes) -> Any:
        faults = Faults()
        value = convert(loads(data), (), faults)
        if faults:
            raise ValueError
        return value

    return BodyEngine(decode, convert, _unknown)


_FROM_TEXT = (int, float, bool, None, NONE)


def _for_scalar(
    annotation: Any, limits: Mapping[str, Any], convert: Convert, loads: Callable[[bytes], Any]
) -> BodyEngine:
    kinds = [each for each in members(annotation) if each not in (None, NONE)]
    if not kinds:
        return _by_standard(convert, loads)
    of_text = Builder(is_text=True).build(union(kinds), limits)

    def convert_either(value: Any, loc: Loc, faults: Faults) -> Any:
        if type(value) is float and int in kinds and float not in kinds:
            if not value.is_integer():
                faults.append(Fault(loc, "must be an integer", "int_from_float"))
                return INVALID
            value = int(value)
        return (of_text if isinstance(value, str) else convert)(value, loc, faults)

    return _by_standard(convert_either, loads)


def _decode_finite(
    decode: Callable[[bytes], Any], loads: Callable[[bytes], Any], data: bytes
) -> Any:
    # pydantic reads these as numbers, and JSON has none of them; a text may contain them.
    if b"NaN" in data or b"Infinity" in data:
        loads(data)
    return decode(data)


def _unknown(error: Exception) -> None:
    return None


def _typed(annotation: Any, limits: Mapping[str, Any]) -> Any:
    """Return a type with limits as msgspec reads it; None if it is not installed, or cannot."""
    msgspec = libraries.msgspec()
    if msgspec is None or isinstance(limits.get("multiple_of"), float):
        return None  # msgspec allows for no rounding
    if limits:
        meta = libraries.meta(limits)
        if meta is None:
            return None
        chosen = [
            each if each in (None, NONE) else Annotated[each, meta] for each in members(annotation)
        ]
        annotation = union(chosen)
    try:
        msgspec.json.Decoder(annotation)
    except Exception:
        return None
    return annotation


def _explained(attempt: Callable[[Any], Any], convert: Convert) -> Convert:
    """Try the library first; if it refuses, list every fault with the standard library."""

    def explain(value: Any, loc: Loc, faults: Faults) -> Any:
        try:
            return attempt(value)
        except Exception as error:
            before = len(faults)
            convert(value, loc, faults)
            if len(faults) == before:
                faults.append(_fault_of(error, loc))
            return INVALID

    return explain


_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def _fault_of(error: Exception, loc: Loc) -> Fault:
    """Return the first fault as msgspec words it, `... - at `$.items[0].name``."""
    text = str(error)
    place = _PLACE.search(text)
    steps: list[str | int] = []
    if place is not None:
        text = text[: place.start()]
        for name, index in _STEP.findall(place[1]):
            steps.append(name or (int(index) if index.isdecimal() else index))
    return Fault((*loc, *steps), text[:1].lower() + text[1:], "value_error")


def _prepare(annotation: Any) -> Callable[[Any], Any] | None:
    """Return the function for the texts that msgspec reads otherwise: words, bytes, and dates."""
    kinds = set(leaves(annotation))
    if str in kinds:
        return None
    if bool in kinds:
        return _words
    if bytes in kinds:
        return _encoded
    return _with_times if dt.datetime in kinds else None


def _is_mixed(annotation: Any) -> bool:
    """Report whether a text needs to be rewritten for one part of a type, and not for another."""
    kinds = set(leaves(annotation))
    return dt.datetime in kinds and bool(kinds & {bool, bytes, dt.date})


def leaves(annotation: Any) -> typing.Iterator[Any]:
    annotation = unwrap(annotation)[0]
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is typing.Literal:
        yield annotation
        return
    for each in arguments:
        yield from leaves(each)


def _words(value: Any) -> Any:
    if isinstance(value, list):
        return [_words(each) for each in value]
    return scalars.WORDS.get(value.lower(), value)


def _encoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_encoded(each) for each in value]
    return value.encode()


def _with_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    return scalars.with_time(value)
