"""Conversion with the standard library: the reference that lists every fault at once.

Owns one function for each type, built once. `is_text`: the values are strings, and lists of
strings, as in a query; without it they are JSON, where a number is not a string. It converts where
neither msgspec nor pydantic can, and explains what msgspec refuses.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
    Set,
)
from typing import Any, Literal

from . import constraints, libraries, models, scalars
from .constraints import Constraints
from .faults import INVALID, Convert, Fault, Faults, Loc, TooManyFaults, Unsupported
from .hints import (
    NONE,
    annotated,
    is_alias,
    key_of,
    members,
    name_of,
    unwrap,
    value_of,
    with_arguments,
)
from .model_conversion import build
from .unions import joined, rank

LISTS = (list, Sequence, Iterable, Collection, MutableSequence)
SETS = (set, Set, MutableSet)
DICTS = (dict, Mapping, MutableMapping)
_SINGLE = (str, int, float, NONE)


class Builder:
    """Builds the function that converts to a type; a model that contains itself is built once."""

    def __init__(self, *, is_text: bool) -> None:
        self.is_text = is_text
        self.scalars = scalars.TEXT if is_text else scalars.JSON
        # Whether the type has a part that msgspec does not have.
        self.uses_pydantic = False
        self.is_beyond_msgspec = False
        # Whether it has limits of msgspec, or of a marker, which pydantic ignores.
        self.is_beyond_pydantic = False
        self._models: dict[Any, list[Convert]] = {}

    def build(self, annotation: Any, limits: Constraints | None = None) -> Convert:
        """Return the function for a type and its limits. Raises Unresolved, or Unsupported."""
        annotation, metadata = unwrap(annotation)
        own = constraints.read(metadata)
        if own and not constraints.is_of_msgspec(metadata):
            self.is_beyond_msgspec = True
        if own and not constraints.is_of_pydantic(metadata):
            self.is_beyond_pydantic = True
        limits = {**own, **(limits or {})}
        if constraints.needs_pydantic(metadata):
            self.uses_pydantic = True
            return self._by_pydantic(annotated(annotation, metadata), limits)
        if is_alias(annotation):
            return self._alias(annotation, limits)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        choices = members(annotation)
        if len(choices) > 1:
            return self._union(choices, limits)
        if annotation in (Any, object) or isinstance(annotation, typing.TypeVar):
            self.is_beyond_msgspec |= annotation is object
            return limited(as_it_is, limits, "other", annotation, "item")
        if annotation in (None, NONE):
            return scalars.null_text if self.is_text else scalars.null
        if origin is Literal:
            return self._literal(args, limits)
        if models.is_pydantic(origin or annotation):
            self.uses_pydantic = True
            return self._by_pydantic(annotation, limits)
        base = origin or annotation
        if base in self.scalars:
            return self._scalar(base, limits)
        if isinstance(base, type) and issubclass(base, enum.Enum):
            return self._enum(base, limits)
        if models.is_model(base):
            return self._model(annotation, base, limits)
        if base in LISTS or base in SETS or base is frozenset or base is tuple:
            return self._items(annotation, base, args, limits)
        if base in DICTS and not self.is_text:
            return self._dict(annotation, args, limits)
        if models.is_of_pydantic(base):
            self.uses_pydantic = True
            return self._by_pydantic(annotation, limits)
        if not isinstance(base, type):
            raise Unsupported(f"`{name_of(annotation)}` is not a type")
        return self._other(annotation, base, args, limits)

    def _other(
        self, annotation: Any, base: type, args: tuple[Any, ...], limits: Constraints
    ) -> Convert:
        """Return the function for a class that no other row has."""
        raise Unsupported(f"no text or JSON becomes a `{name_of(annotation)}`")

    def _by_pydantic(self, annotation: Any, limits: Constraints) -> Convert:
        return libraries.pydantic_part(annotation, limits, is_json=not self.is_text)

    def _scalar(self, kind: type, limits: Constraints) -> Convert:
        expected, fault, read = self.scalars[kind]
        msg = f"must be {expected}"

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            try:
                return read(value)
            except (ValueError, TypeError, AttributeError):
                faults.append(Fault(loc, msg, fault))
                return INVALID

        unit = "byte" if kind is bytes else "character"
        return limited(convert, limits, scalars.KINDS.get(kind, "other"), kind, unit)

    def _enum(self, kind: type[enum.Enum], limits: Constraints) -> Convert:
        constraints.split(limits, "other", kind.__name__)
        values = [each.value for each in kind]
        kinds = {type(each) for each in values}
        parse = self._choice(values)

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            try:
                parsed = parse(value)
                if type(parsed) not in kinds:  # True is not 1 here
                    raise ValueError
                return kind(parsed)
            except (ValueError, TypeError):
                faults.append(Fault(loc, _one_of(values), "enum"))
                return INVALID

        return convert

    def _literal(self, values: tuple[Any, ...], limits: Constraints) -> Convert:
        constraints.split(limits, "other", "Literal")
        flat = [v for each in values for v in (each if isinstance(each, tuple) else (each,))]
        parse = self._choice(flat)

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            try:
                parsed = parse(value)
                for each in flat:
                    if each == parsed and type(each) is type(parsed):
                        return each
            except (ValueError, TypeError):
                pass
            faults.append(Fault(loc, _one_of(flat), "literal_error"))
            return INVALID

        return convert

    def _choice(self, values: Sequence[Any]) -> Callable[[Any], Any]:
        """Return the function that reads one of some values from text: a string, or a number."""
        if not self.is_text:
            return lambda value: value
        kinds = {type(value) for value in values}

        def parse(text: Any) -> Any:
            if text in values:
                return text
            for kind in (int, float, bool):
                if any(
                    issubclass(each, kind) for each in kinds if each is not bool or kind is bool
                ):
                    try:
                        return scalars.TEXT[kind][2](text)
                    except ValueError:
                        pass
            return None if NONE in kinds and text.lower() == "null" else text

        return parse

    def _alias(self, alias: Any, limits: Constraints) -> Convert:
        """Return the function for an alias that contains itself."""
        constraints.split(limits, "other", alias.__name__)
        if self.is_text:
            raise Unsupported(f"no text becomes a `{alias.__name__}`, which contains itself")
        known = self._models.get(alias)
        if known is None:
            known = self._models[alias] = []
            known.append(self.build(value_of(alias)))
        return lambda value, loc, faults: known[0](value, loc, faults)

    def _union(self, choices: tuple[Any, ...], limits: Constraints) -> Convert:
        is_optional = any(each in (None, NONE) for each in choices)
        rest = [each for each in choices if each not in (None, NONE)]
        built = [(each, self.build(each, limits)) for each in rest]
        if self.is_text:
            built.sort(key=lambda pair: rank(unwrap(pair[0])[0]))
            if any(unwrap(each)[0] is float for each in rest):
                built = [(e, _digits(c) if unwrap(e)[0] is int else c) for e, c in built]
        return self._first_that_fits(built, is_optional=is_optional)

    def _first_that_fits(self, built: list[tuple[Any, Convert]], *, is_optional: bool) -> Convert:
        converts = [convert for _, convert in built]
        has_text = any(unwrap(each)[0] is str for each, _ in built)
        kinds = [_shape(unwrap(each)[0]) for each, _ in built]

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            if is_optional and (
                value is None or (self.is_text and not has_text and scalars.is_null(value))
            ):
                return None
            # Without it, each level of unions within unions doubles the number of attempts.
            if faults.refused is not None:
                return attempt(value, loc, faults, faults.refused)
            refused: dict[Any, Any] = {}
            try:
                return attempt(value, loc, faults, refused)
            finally:
                refused.clear()  # the attempts refer to it, and it to the whole value

        def attempt(value: Any, loc: Loc, faults: Faults, refused: dict[Any, Any]) -> Any:
            tried: list[list[Fault]] = []
            known = {} if isinstance(value, _SINGLE) else refused
            for each in converts:
                key = id(value), id(each)
                if key in known:
                    found = known[key][1]
                else:
                    found = faults.attempt(refused)
                    try:
                        result = each(value, loc, found)
                    except TooManyFaults:
                        result = INVALID
                    if result is not INVALID and not found:
                        return result
                    known[key] = (value, found)
                tried.append(found)
            # The faults of the member with the value's shape, or else the expectation of each.
            shape = _shape_of(value)
            close = [found for found, kind in zip(tried, kinds) if kind == shape] or tried
            if len(close) == 1 or shape:
                close.sort(key=len)
                faults += close[0]
            else:
                faults += joined(close, loc)
            return INVALID

        return convert

    def _items(
        self, annotation: Any, base: Any, args: tuple[Any, ...], limits: Constraints
    ) -> Convert:
        self.is_beyond_msgspec |= base is Iterable
        make: Callable[[list[Any]], Any] = list
        if base in SETS:
            make = set
        elif base in (tuple, frozenset):
            make = base
        if base is tuple and args and args[-1] is not Ellipsis:
            convert = self._tuple([] if args == ((),) else list(args))
        else:
            convert = _many(self.build(args[0] if args else Any), make)
        return limited(convert, limits, "items", annotation, "item")

    def _tuple(self, args: list[Any]) -> Convert:
        each = [self.build(arg) for arg in args]
        items = "item" if len(each) == 1 else "items"
        msg = f"must have {len(each)} {items}"

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            if not isinstance(value, list):
                faults.append(Fault(loc, "must be a list", "tuple_type"))
                return INVALID
            if len(value) != len(each):
                kind = "too_short" if len(value) < len(each) else "too_long"
                faults.append(Fault(loc, msg, kind))
                return INVALID
            before = len(faults)
            made = [c(v, (*loc, at), faults) for at, (c, v) in enumerate(zip(each, value))]
            return INVALID if len(faults) > before else tuple(made)

        return convert

    def _dict(self, annotation: Any, args: tuple[Any, ...], limits: Constraints) -> Convert:
        keys = Builder(is_text=True).build(args[0]) if args else as_it_is
        values = self.build(args[1]) if args else as_it_is

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            if not isinstance(value, dict):
                faults.append(Fault(loc, "must be an object", "dict_type"))
                return INVALID
            before = len(faults)
            made = [
                (keys(k, (*loc, k, "[key]"), faults), values(v, (*loc, k), faults))
                for k, v in value.items()
            ]
            return INVALID if len(faults) > before else dict(made)

        return limited(convert, limits, "items", annotation, "item")

    def _model(self, annotation: Any, base: Any, limits: Constraints) -> Convert:
        constraints.split(limits, "other", name_of(annotation))
        if self.is_text:
            raise Unsupported(f"no text becomes a `{name_of(annotation)}`")
        key = key_of(annotation)
        known = self._models.get(key)
        if known is None:
            known = self._models[key] = []
            model = models.read(base)
            arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(annotation)))
            fields = [
                (each, self.build(with_arguments(each.annotation, arguments)))
                for each in model.fields
            ]
            known.append(build(model, fields))
        elif not known:  # inside its own fields
            return lambda value, loc, faults: known[0](value, loc, faults)
        return known[0]


def _many(each: Convert, make: Callable[[list[Any]], Any]) -> Convert:
    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        if not isinstance(value, list):
            faults.append(Fault(loc, "must be a list", "list_type"))
            return INVALID
        before = len(faults)
        made = [each(item, (*loc, at), faults) for at, item in enumerate(value)]
        if len(faults) > before:
            return INVALID
        try:
            return make(made)
        except TypeError:  # a set of lists
            faults.append(
                Fault(loc, "must have items that can be in a set", "set_item_not_hashable")
            )
            return INVALID

    return convert


def limited(
    convert: Convert, limits: Constraints, kind: str, annotation: Any, unit: str
) -> Convert:
    """Check the limits after the conversion."""
    check = constraints.checker(constraints.split(limits, kind, name_of(annotation)), unit)
    if check is None:
        return convert

    def limited(value: Any, loc: Loc, faults: Faults) -> Any:
        result = convert(value, loc, faults)
        return result if result is INVALID or check(result, loc, faults) else INVALID

    return limited


def as_it_is(value: Any, loc: Loc, faults: Faults) -> Any:
    return value


def _digits(convert: Convert) -> Convert:
    """Leave `5.0` to the `float` beside an `int`."""

    def convert_digits(value: Any, loc: Loc, faults: Faults) -> Any:
        return convert(value if scalars.is_integer(value) else "", loc, faults)

    return convert_digits


def _one_of(values: Iterable[Any]) -> str:
    shown = [_shown(value) for value in values]
    return "must be " + " or ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def _shown(value: Any) -> str:
    return f"`{value}`"


def _shape(kind: Any) -> str:
    """Name the form in JSON of a type with parts: `dict`, `list`; "" for a scalar."""
    base = typing.get_origin(kind) or kind
    if base in DICTS:
        return "dict"
    if models.is_model(base):
        return "list" if issubclass(base, tuple) else "dict"
    return "list" if base in (*LISTS, *SETS, tuple, frozenset) else ""


def _shape_of(value: Any) -> str:
    return "dict" if isinstance(value, dict) else "list" if isinstance(value, list) else ""
