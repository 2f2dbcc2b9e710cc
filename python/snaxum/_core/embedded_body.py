"""Several parameters of one body: an object of JSON, each member of which is a parameter.

Owns the way from the object to the values. Each member is converted as a body of its own would be.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from .._validation import constraints
from .._validation.faults import Fault, Faults, TooManyFaults, Unsupported
from ..http_errors import HTTPError
from ..markers import MISSING
from .arguments import Argument
from .json_decoding import DecodingError, loads
from .values import FoundFaults, JsonBody, check_json


class EmbeddedBody(JsonBody):
    """The values of all parameters of a body, in their order."""

    def __init__(self, arguments: Mapping[int, Argument]) -> None:
        """Take the arguments by their number in the call."""
        self.numbers, given = [*arguments], [*arguments.values()]
        self.parts = [JsonBody(each) for each in given]
        whole = Argument(
            ", ".join(each.name for each in given),
            "body",
            is_required=True,
            is_annotated=True,
            passing="keyword",
            annotation=_object_of(given),
        )
        try:
            super().__init__(whole)
            # Beside a model of pydantic all members would have its rules.
            is_alike = all(
                p.engine.is_by_pydantic is self.engine.is_by_pydantic for p in self.parts
            )
        except Unsupported:
            is_alike = False
        if not is_alike:  # each part by itself
            whole.annotation = dict
            super().__init__(whole)
        names = ", ".join(f"`{each.key}`" for each in given)
        noun = "member" if len(given) == 1 else "members"
        self.note = f"is missing; the body is an object with the {noun} {names}"

    def get(self, request: Any) -> Any:
        data = self._data(request)
        if not data or self.argument.annotation is dict:
            return super(JsonBody, self).get(request)
        check_json(request.content_type)
        given = self.engine.decode(data)
        return [self._or_default(each, given) for each in self.parts]

    def fill(self, request: Any, found: FoundFaults) -> Any:
        data = self._data(request)
        check_json(request.content_type)
        try:
            sent = loads(data) if data else {}
        except DecodingError as error:
            raise HTTPError(400, f"the body is not valid JSON: {error}") from None
        given = {} if sent is None else sent
        if not isinstance(given, dict):
            # As FastAPI does, which reports those with a default, too.
            parts = [each.argument.key for each in self.parts]
            found += [(self.part, Fault((key,), self.note, "missing")) for key in parts]
            return parts
        return [self._fill_part(each, given, found) for each in self.parts]

    def _fill_part(self, part: JsonBody, given: dict[str, Any], found: FoundFaults) -> Any:
        argument, key = part.argument, part.argument.key
        value = given.get(key, MISSING)
        if value is MISSING:
            if not argument.is_required:
                return part.default()
            found.append((self.part, Fault((key,), self.note, "missing")))
            return None
        faults, further, made = Faults(), [], None
        try:
            made = part.explain(value, (key,), faults)
        except TooManyFaults as error:
            further = [error.fault]
        found += [(self.part, fault) for fault in (*faults, *further)]
        return made

    def _or_default(self, part: JsonBody, given: dict[str, Any]) -> Any:
        value = given.get(part.argument.key, MISSING)
        return part.default() if value is MISSING else value


def _object_of(arguments: Sequence[Argument]) -> Any:
    """Return the TypedDict that has the arguments as its keys."""
    # pydantic takes that of `typing` since Python 3.12, and has imported the other.
    make: Any = getattr(sys.modules.get("typing_extensions"), "TypedDict", typing.TypedDict)
    required = {each.key: _type_of(each) for each in arguments if each.is_required}
    others = {each.key: _type_of(each) for each in arguments if not each.is_required}
    base = make("Body", required)
    if not others:
        return base
    return types.new_class(
        "Body", (base,), {"total": False}, lambda scope: scope.update(__annotations__=others)
    )


def _type_of(argument: Argument) -> Any:
    limits = [each for each in argument.metadata if constraints.read([each])]
    annotation = argument.annotation
    for each in limits:
        annotation = Annotated[annotation, each]
    return annotation
