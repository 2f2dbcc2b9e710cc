"""Results of pydantic: a model of pydantic is checked and sent by pydantic itself.

Owns both calls. The JSON encoder writes the values that only it knows, as an array below `Any`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .._core.json_encoding import EncodingError, simplify, way_out_of
from . import libraries
from .faults import INVALID, Convert, Fault, Faults, Loc
from .result_values import without_library


def result_part(adapter: Any) -> Convert:
    """Return the function that converts a result by a pydantic.TypeAdapter."""
    import pydantic

    # Versions before 2.11 read by alias only.
    by_name = _known(adapter.validate_python, {"by_alias": True, "by_name": True})
    fallback = _known(adapter.dump_python, {"fallback": _simplified})

    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        try:
            made = adapter.validate_python(without_library(value), from_attributes=True, **by_name)
            return adapter.dump_python(made, mode="json", by_alias=True, **fallback)
        except pydantic.ValidationError as error:
            faults.extend(libraries.pydantic_faults(error, loc))
        except EncodingError as error:
            faults.append(Fault(loc, str(error), "no_json"))
        except ValueError as error:
            if not str(error).startswith("Circular reference"):
                raise
            faults.append(Fault(loc, "has an object that contains itself", "recursion_loop"))
        return INVALID

    return convert


def _known(function: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that this version of pydantic has."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in names}


def _simplified(value: Any) -> Any:
    try:
        return simplify(value)
    except TypeError:
        kind = type(value).__name__
        raise EncodingError(f"cannot encode `{kind}` as JSON; {way_out_of(value)}") from None
