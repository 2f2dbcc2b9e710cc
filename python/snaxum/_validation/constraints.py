"""Constraints: the limits of a value, from markers, msgspec, annotated-types and pydantic.

Owns the eight limits and their checks. A library's objects are read by their attributes, so this
file imports none.
"""

from __future__ import annotations

import datetime as dt
import numbers
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from .faults import Fault, Faults, Loc, Unsupported

Constraints = Mapping[str, Any]

NUMERIC = ("ge", "gt", "le", "lt", "multiple_of")
LENGTHS = ("min_length", "max_length")
NAMES = (*NUMERIC, *LENGTHS, "pattern")
# The values that a limit may have for each kind of time.
_MOMENTS: dict[str, type] = {
    "datetime": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "timedelta": dt.timedelta,
}
_TEXTS = ("title", "description")
_LIBRARIES = ("snaxum", "msgspec", "annotated_types", "pydantic", "pydantic_core")


def library_of(value: object) -> str:
    """Return the top-level package of the class of a value."""
    return str(type(value).__module__).partition(".")[0]


def read(metadata: Iterable[object]) -> dict[str, Any]:
    """Return the limits in the metadata of an `Annotated`; a later one counts."""
    found: dict[str, Any] = {}
    for each in metadata:
        if library_of(each) not in _LIBRARIES:
            continue
        for name in NAMES:
            value = getattr(each, name, None)
            if value is not None and not callable(value):
                found[name] = value.pattern if isinstance(value, re.Pattern) else value
        inner = getattr(each, "metadata", None)  # a FieldInfo of pydantic has it
        if isinstance(inner, list):
            found.update(read(inner))
    return found


def describe(metadata: Iterable[object]) -> dict[str, Any]:
    """Return the title, description, examples and alias in the metadata of an `Annotated`."""
    found: dict[str, Any] = {}
    for each in metadata:
        if library_of(each) not in _LIBRARIES:
            continue
        for name in (*_TEXTS, "alias"):
            text = getattr(each, name, None)
            if isinstance(text, str) and text:
                found[name] = text
        examples = getattr(each, "examples", None)
        if isinstance(examples, list | tuple) and examples:
            found["examples"] = list(examples)
        if getattr(each, "deprecated", None) is True:
            found["deprecated"] = True
    return found


def needs_pydantic(metadata: Iterable[object]) -> bool:
    """Report whether only pydantic knows what a piece of metadata does to a value."""
    return any(
        library_of(each) == "pydantic" and type(each).__name__ != "FieldInfo" for each in metadata
    )


def is_of_msgspec(metadata: Iterable[object]) -> bool:
    """Report whether msgspec knows every limit in the metadata."""
    return all(library_of(each) == "msgspec" or not read([each]) for each in metadata)


def is_of_pydantic(metadata: Iterable[object]) -> bool:
    """Report whether pydantic knows every limit in the metadata."""
    return all(
        library_of(each) not in ("msgspec", "snaxum") or not read([each]) for each in metadata
    )


def split(limits: Constraints, kind: str, type_name: str) -> dict[str, Any]:
    """Return the limits of a kind of value.

    It is `number`, `text`, `bytes`, `items`, `datetime`, `date`, `time`, `timedelta` or `other`.

    Raises Unsupported for a limit that the kind does not have, or that it cannot be compared with.
    """
    allowed: tuple[str, ...] = {
        "number": NUMERIC,
        **dict.fromkeys(_MOMENTS, NUMERIC[:4]),
        "text": NAMES[5:],
        "bytes": LENGTHS,
        "items": LENGTHS,
    }.get(kind, ())
    wrong = [name for name in limits if name not in allowed]
    if wrong:
        raise Unsupported(f"a `{type_name}` has no `{wrong[0]}`; remove it")
    for name, limit in limits.items():
        wanted = _wanted(name, limit, kind)
        if wanted:
            raise Unsupported(f"`{name}={limit!r}` is not {wanted}")
    return dict(limits)


def _wanted(name: str, limit: Any, kind: str) -> str:
    """Describe the limits of this name, if `limit` cannot be one; else return ""."""
    if name == "pattern":
        return "" if isinstance(limit, str) else "a regular expression, as a str"
    if name in LENGTHS:
        return "" if type(limit) is int and limit >= 0 else "a length, as an int"
    if kind in _MOMENTS:
        # A `datetime` is a `date` too, and Python compares neither with the other.
        is_other = kind == "date" and isinstance(limit, dt.datetime)
        return "" if isinstance(limit, _MOMENTS[kind]) and not is_other else f"a `{kind}`"
    is_number = isinstance(limit, numbers.Real | Decimal) and not isinstance(limit, bool)
    if name == "multiple_of":
        return "" if is_number and limit > 0 else "a number above 0"
    return "" if is_number else "a number"


LimitCheck = Callable[[Any, Loc, Faults], bool]


def checker(limits: Constraints, unit: str) -> LimitCheck | None:
    """Return the function that reports whether a value is in its limits, and adds the fault."""
    if not limits:
        return None
    tests = [_test(name, limit, unit) for name, limit in limits.items()]

    def check(value: Any, loc: Loc, faults: Faults) -> bool:
        is_valid = True
        for test, msg, kind in tests:
            if not test(value):
                faults.append(Fault(loc, msg, kind))
                is_valid = False
        return is_valid

    return check


def _test(name: str, limit: Any, unit: str) -> tuple[Callable[[Any], bool], str, str]:
    if name == "pattern":
        try:
            found = re.compile(limit).search
        except re.error as error:
            raise Unsupported(
                f"the pattern {limit!r} is not a regular expression: {error}"
            ) from None
        msg = f"must match the pattern `{limit}`"
        return (lambda value: found(value) is not None), msg, "string_pattern_mismatch"
    if name in LENGTHS:
        few = name == "min_length"
        words = "string" if unit == "character" else "bytes" if unit == "byte" else ""
        bound = "at least" if few else "at most"
        kind = "_".join(filter(None, (words, "too", "short" if few else "long")))
        units = unit if limit == 1 else f"{unit}s"
        msg = f"must have {bound} {limit} {units}"
        if few:
            return (lambda value: len(value) >= limit), msg, kind
        return (lambda value: len(value) <= limit), msg, kind
    test, words, kind = {
        "ge": (operator.ge, "at least", "greater_than_equal"),
        "gt": (operator.gt, "greater than", "greater_than"),
        "le": (operator.le, "at most", "less_than_equal"),
        "lt": (operator.lt, "less than", "less_than"),
        "multiple_of": (_is_multiple, "a multiple of", "multiple_of"),
    }[name]
    return _comparison(test, limit), f"must be {words} {limit}", kind


def _comparison(test: Callable[[Any, Any], bool], limit: Any) -> Callable[[Any], bool]:
    def compare(value: Any) -> bool:
        try:
            return bool(test(*_comparable(value, limit)))
        except TypeError:  # a time with a zone beside one without
            kinds = dt.datetime, dt.time
            if not (isinstance(value, kinds) and isinstance(limit, kinds)):
                return False
            return bool(test(value.replace(tzinfo=None), limit.replace(tzinfo=None)))
        except ArithmeticError:  # a NaN
            return False

    return compare


def _comparable(value: Any, limit: Any) -> tuple[Any, Any]:
    """Return a `float` beside a `Decimal` as the decimal number that it is shown as."""
    if isinstance(value, Decimal) and not isinstance(limit, Decimal | int):
        return value, Decimal(str(float(limit)))
    if isinstance(limit, Decimal) and isinstance(value, float):
        return Decimal(str(value)), limit
    return value, limit


def _is_multiple(value: Any, limit: Any) -> bool:
    rest = value % limit
    if not isinstance(rest, float):
        return bool(rest == 0)
    # 0.3 is a multiple of 0.1, as in pydantic.
    rounding = abs(value) / 1e9
    return bool(abs(rest) <= rounding or abs(abs(rest) - abs(limit)) <= rounding)
