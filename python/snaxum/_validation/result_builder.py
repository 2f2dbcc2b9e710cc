"""Types of results: for each the function that checks a value of Python and returns what is sent.

Owns what differs from the conversion of JSON: the values have classes, models are written instead
of made, and each part has the form that the JSON encoder gives it. Built once for each route.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import typing
from collections.abc import Callable, Mapping, Set
from typing import Any

from . import libraries, models, result_models
from . import result_values as values
from .constraints import Constraints, split
from .faults import INVALID, Convert, Fault, Faults, Loc, Unsupported
from .hints import (
    NONE,
    is_class,
    key_of,
    members,
    name_of,
    parts,
    unwrap,
    value_of,
    with_arguments,
)
from .results_by_pydantic import result_part
from .standard import SETS, Builder, as_it_is, limited

_NO_CLASS: frozenset[type] = frozenset()


class ResultBuilder(Builder):
    """Builds the functions of one `response_model`."""

    def __init__(self) -> None:
        super().__init__(is_text=False)
        self.scalars = values.SCALARS
        self._has_other_form = False
        # Within a Struct msgspec writes times, and in all other places the JSON encoder.
        self._is_in_struct = False
        self._written: dict[Any, list[Convert]] = {}
        self._recursive: set[Any] = set()

    @property
    def is_pydantic_alone(self) -> bool:
        """Whether pydantic gives each part of the type the form that it has here."""
        return self.uses_pydantic and not self.is_beyond_pydantic and not self._has_other_form

    def _other(
        self, annotation: Any, base: type, args: tuple[Any, ...], limits: Constraints
    ) -> Convert:
        """Leave the values of any other class to the JSON encoder; it has no fields to check."""
        self._has_other_form = True
        if len(args) == 1 and issubclass(base, values.LISTS):
            return self._items(annotation, base, args, limits)
        if len(args) == 2 and issubclass(base, Mapping):
            return self._dict(annotation, args, limits)
        if any(models.is_model(each) for arg in args for each in parts(arg)):
            raise Unsupported(
                f"the fields of the models in `{name_of(annotation)}` are not known; use a `list`"
            )
        return as_it_is

    def _by_pydantic(self, annotation: Any, limits: Constraints) -> Convert:
        return result_part(libraries.pydantic_adapter(annotation, limits))

    def _scalar(self, kind: type, limits: Constraints) -> Convert:
        convert = super()._scalar(kind, limits)
        self._has_other_form |= kind not in values.PLAIN
        if kind is bytes:
            write: Callable[[Any, Loc], Any] = _in_base64
        elif self._is_in_struct and kind in _MOMENTS:
            write = _moment_of_msgspec(kind)
        else:
            return convert

        def convert_and_write(value: Any, loc: Loc, faults: Faults) -> Any:
            made = convert(value, loc, faults)
            return made if made is INVALID else write(made, loc)

        return convert_and_write

    def _enum(self, kind: type[enum.Enum], limits: Constraints) -> Convert:
        convert = super()._enum(kind, limits)

        def of_result(value: Any, loc: Loc, faults: Faults) -> Any:
            if isinstance(value, kind):
                return value
            return convert(values.simple_or_same(value), loc, faults)

        return of_result

    def _literal(self, choices: tuple[Any, ...], limits: Constraints) -> Convert:
        convert = super()._literal(choices, limits)
        enums = [each for each in choices if isinstance(each, enum.Enum)]

        def of_result(value: Any, loc: Loc, faults: Faults) -> Any:
            if isinstance(value, enum.Enum) and value in enums:
                return value
            return convert(values.simple_or_same(value), loc, faults)

        return of_result

    def _first_that_fits(self, built: list[tuple[Any, Convert]], *, is_optional: bool) -> Convert:
        general = built[0][1]
        if len(built) > 1:
            general = _of_its_class(built, super()._first_that_fits(built, is_optional=False))
        if not is_optional:
            return general

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            return None if values.is_null(value) else general(value, loc, faults)

        return convert

    def _items(
        self, annotation: Any, base: Any, args: tuple[Any, ...], limits: Constraints
    ) -> Convert:
        if base is tuple and args and args[-1] is not Ellipsis:
            convert = self._tuple([] if args == ((),) else list(args))
        else:
            is_set = base in SETS or base is frozenset
            convert = _many(*self._part(args[0] if args else Any), is_set=is_set)
        return limited(convert, limits, "items", annotation, "item")

    def _tuple(self, args: list[Any]) -> Convert:
        parts = [self.build(arg) for arg in args]
        msg = f"must have {len(parts)} item{'' if len(parts) == 1 else 's'}"

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            items = values.list_of(value)
            if items is None:
                faults.append(Fault(loc, "must be a list", "tuple_type"))
                return INVALID
            if len(items) != len(parts):
                kind = "too_short" if len(items) < len(parts) else "too_long"
                faults.append(Fault(loc, msg, kind))
                return INVALID
            return [c(v, (*loc, at), faults) for at, (c, v) in enumerate(zip(parts, items))]

        return convert

    def _dict(self, annotation: Any, args: tuple[Any, ...], limits: Constraints) -> Convert:
        of_key = self._key(args[0] if args else Any)
        exact, of_value = self._part(args[1] if args else Any)

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            given = values.mapping_of(value)
            if given is None:
                faults.append(Fault(loc, "must be an object", "dict_type"))
                return INVALID
            made = {}
            for key, item in given.items():
                place = (*loc, key if type(key) is str else str(key))
                made[of_key(key, place, faults)] = (
                    item if type(item) in exact else of_value(item, place, faults)
                )
            return made

        return limited(convert, limits, "items", annotation, "item")

    def _key(self, annotation: Any) -> Convert:
        """Return the function for a key, which may be the text of a value too."""
        direct, parse = self.build(annotation), Builder(is_text=True).build(annotation)

        def convert(value: Any, loc: Loc, faults: Faults) -> Any:
            found = Faults()
            made = direct(value, loc, found)
            if not found:
                return made
            return parse(values.simple_or_same(value), loc, faults)

        return convert

    def _model(self, annotation: Any, base: Any, limits: Constraints) -> Convert:
        self._has_other_form = True
        split(limits, "other", name_of(annotation))
        key = key_of(annotation), self._is_in_struct or models.is_struct(base)
        return self._once(key, lambda: self._writer(annotation, base))

    def _alias(self, alias: Any, limits: Constraints) -> Convert:
        self._has_other_form = True
        split(limits, "other", alias.__name__)
        key = alias, self._is_in_struct
        return self._once(key, lambda: self.build(value_of(alias)))

    def _once(self, key: Any, build: Callable[[], Convert]) -> Convert:
        """Return the function for a type that may contain itself."""
        known = self._written.get(key)
        if known is None:
            known = self._written[key] = []
            convert = build()
            known.append(result_models.guarded(convert) if key in self._recursive else convert)
        elif not known:  # inside its own fields
            self._recursive.add(key)
            return lambda value, loc, faults: known[0](value, loc, faults)
        return known[0]

    def _writer(self, annotation: Any, base: Any) -> Convert:
        model = models.read(base)
        arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(annotation)))
        outer = self._is_in_struct
        self._is_in_struct = outer or models.is_struct(base)
        fields = [
            result_models.ResultField(each, *self._part(with_arguments(each.annotation, arguments)))
            for each in (*model.fields, *models.made_fields(base))
        ]
        self._is_in_struct = outer
        return result_models.build(dict if models.is_typed_dict(base) else base, model, fields)

    def _part(self, annotation: Any) -> tuple[frozenset[type], Convert]:
        """Return the classes whose values are sent as they are, and the function for all others."""
        convert = self.build(annotation)
        inner, metadata = unwrap(annotation)
        kinds = [NONE if each is None else each for each in members(inner)]
        is_exact = not metadata and all(is_class(each) and each in values.PLAIN for each in kinds)
        return frozenset(kinds) if is_exact else _NO_CLASS, convert


def _of_its_class(built: list[tuple[Any, Convert]], general: Convert) -> Convert:
    """Try the member of a union first that is the class of the value."""
    by_class: dict[type, Convert | None] = {}
    for annotation, convert in built:
        inner = unwrap(annotation)[0]
        kind = typing.get_origin(inner) or inner
        if is_class(kind) and _decides(kind):
            by_class[kind] = None if kind in by_class else convert

    def convert_by_class(value: Any, loc: Loc, faults: Faults) -> Any:
        for kind in type(value).__mro__:
            convert = by_class.get(kind)
            if convert is None:
                continue
            if models.is_model(kind):
                return convert(value, loc, faults)
            found = Faults()
            made = convert(value, loc, found)
            if not found:
                return made
            break
        return general(value, loc, faults)

    return convert_by_class


def _decides(kind: type) -> bool:
    if kind in values.SCALARS or issubclass(kind, enum.Enum):
        return True
    return models.is_model(kind) and not models.is_typed_dict(kind)


def _many(exact: frozenset[type], each: Convert, *, is_set: bool) -> Convert:
    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        items = values.list_of(value)
        if items is None:
            faults.append(Fault(loc, "must be a list", "list_type"))
            return INVALID
        made = [
            item if type(item) in exact else each(item, (*loc, at), faults)
            for at, item in enumerate(items)
        ]
        return _distinct(made) if is_set and not isinstance(value, Set) else made

    return convert


def _distinct(items: list[Any]) -> list[Any]:
    try:
        return list(dict.fromkeys(items))
    except TypeError:  # a dict is not hashable
        return [item for at, item in enumerate(items) if item not in items[:at]]


def _in_base64(value: bytes, loc: Loc) -> str | bytes:
    # A result that is only bytes is not JSON.
    return base64.b64encode(value).decode() if loc else value


def _moment_of_msgspec(kind: type) -> Callable[[Any, Loc], Any]:
    import msgspec

    to_plain = _MOMENTS[kind]

    def write(made: Any, loc: Loc) -> Any:
        return msgspec.to_builtins(made if type(made) is kind else to_plain(made))

    return write


# msgspec knows no subclass of them.
_MOMENTS: dict[type, Callable[[Any], Any]] = {
    dt.datetime: lambda value: dt.datetime.combine(value.date(), value.timetz()),
    dt.date: lambda value: dt.date(value.year, value.month, value.day),
    dt.time: lambda value: value.replace(),
    dt.timedelta: lambda value: dt.timedelta(value.days, value.seconds, value.microseconds),
}
