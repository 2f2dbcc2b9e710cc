"""Results: what a handler returned, as the model that its route declares for it.

Owns the conversion in the other direction: from objects to the fields that a model has, and no
others. The function for a type is built when its route is made.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from . import libraries
from .faults import INVALID, Convert, Fault, Faults, TooManyFaults, Unsupported
from .hints import is_class, name_of, unwrap
from .result_builder import ResultBuilder
from .result_structs import short_way
from .results_by_pydantic import result_part


class ResultError(TypeError):
    """A result that does not have the type that its route promises."""


def converter(annotation: Any) -> Callable[[Any], Any]:
    """Return the function that converts a result to a type. Raises Unresolved or Unsupported.

    It takes mappings, and objects by their attributes, and raises ResultError. It returns plain
    values that JSON can encode: it makes no object of a model, so no constructor changes them.
    """
    convert, name = _convert(annotation), _shown(annotation)
    short = short_way(annotation)

    def convert_result(result: Any) -> Any:
        if short is not None and (made := short(result)) is not INVALID:
            return made
        faults = Faults()
        try:
            made = convert(result, (), faults)
        except TooManyFaults:
            pass  # the first ones are enough
        except RecursionError as error:
            raise ResultError(f"the result does not fit `{name}`: it is nested too deep") from error
        if faults:
            raise _error(faults, name)
        return made

    return convert_result


def _convert(annotation: Any) -> Convert:
    builder = ResultBuilder()
    convert = builder.build(annotation)
    if builder.is_pydantic_alone and typing.get_args(unwrap(annotation)[0]):
        # One call for a list of models.
        try:
            return result_part(libraries.pydantic_adapter(annotation, {}))
        except Unsupported:
            pass
    return convert


def _shown(annotation: Any) -> str:
    return name_of(annotation) if is_class(annotation) else str(annotation).replace("typing.", "")


def _error(faults: list[Fault], name: str) -> ResultError:
    first, *more = faults
    place = ".".join(map(str, first.loc))
    others = f"; {len(more)} more fault{'s' if len(more) > 1 else ''}" if more else ""
    if first.msg.startswith(("must ", "is ", "has ")):
        subject = f"`{place}` " if place else "it "
    else:
        subject = f"`{place}`: " if place else ""
    return ResultError(f"the result does not fit `{name}`: {subject}{first.msg}{others}")
