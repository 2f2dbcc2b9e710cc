"""Finds out whether a handler reads the body of its request in chunks.

Owns the rule: the function itself, or one inside it, calls `.stream` of its request. Reads code
objects; never calls a handler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

from .arguments import Argument
from .handlers import code_of, innermost
from .late_module import late_module

if TYPE_CHECKING:
    import dis
else:
    dis = late_module("dis")


def decide(handler: Any, arguments: Sequence[Argument] | None, stream_body: bool | None) -> bool:
    """Decide whether a handler starts before its body has arrived.

    `stream_body` is the value of its route. Raises ValueError if it also has a parameter that needs
    the whole body.
    """
    whole = [each.name for each in arguments or () if each.source in ("body", "form", "file")]
    if whole and stream_body:
        raise ValueError(
            f"`{whole[0]}` needs the whole body, and `stream_body=True` reads it in chunks; drop "
            "one of them"
        )
    if stream_body is None:
        return not whole and reads_chunks(handler)
    return stream_body


def reads_chunks(handler: Any) -> bool:
    """Report whether a handler calls `request.stream`."""
    code = code_of(handler)
    if code is None or not _names(code, "stream"):
        return False
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    annotations = getattr(innermost(handler), "__annotations__", {})
    requests = {name for name in parameters if _is_request(name, annotations)}
    # As in the plan of its arguments: the first, if it has no annotation.
    if not requests:
        requests = {name for name in parameters[:1] if name not in annotations}
    return any(_calls_stream(each, requests) for each in _with_inner(code))


def _is_request(name: str, annotations: dict[str, Any]) -> bool:
    annotation = annotations.get(name)
    shown = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return name == "request" or shown.strip("'\"").rpartition(".")[2] == "Request"


def _names(code: CodeType, name: str) -> bool:
    return any(name in each.co_names for each in _with_inner(code))


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _with_inner(each)


def _calls_stream(code: CodeType, requests: set[str]) -> bool:
    loaded: object = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("CACHE", "EXTENDED_ARG"):
            continue
        is_stream = instruction.opname in _LOADS and instruction.argval == "stream"
        if is_stream and loaded in requests:
            return True
        # The last one of a pair, as in `LOAD_FAST_LOAD_FAST`.
        value = instruction.argval
        loaded = value[-1] if isinstance(value, tuple) and value else value
        name = instruction.opname
        if not (name.startswith(("LOAD_FAST", "LOAD_DEREF")) or name.endswith("LOAD_FAST")):
            loaded = None
    return False


_LOADS = ("LOAD_ATTR", "LOAD_METHOD")
