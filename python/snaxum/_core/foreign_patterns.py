"""Patterns as other frameworks write them, and what they are here.

Owns the error for `{name}` in place of `<name>`, and the warnings about the rest. Never parses a
pattern (`patterns`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any

from .arguments import Argument


def check(pattern: str, names: Container[str], arguments: Iterable[Argument]) -> None:
    """Raise ValueError for `{name}` if a parameter of the handler has that name.

    `names` are the parameters that the pattern has.
    """
    by_name = {each.name: each for each in arguments if "{" in pattern}
    for text, name, converter in _braced(pattern):
        argument = by_name.get(name)
        if argument is not None and name not in names:
            converter = converter or _converter_of(argument.annotation)
            raise ValueError(
                f"`{text}` is plain text here, and the handler has a parameter `{name}`; "
                f"write `<{converter}{name}>`"
            )


def _converter_of(annotation: Any) -> str:
    import uuid

    return {int: "int:", float: "float:", uuid.UUID: "uuid:"}.get(annotation, "")


def warnings(pattern: str) -> list[str]:
    """Return what is legal in a pattern, and probably a mistake."""
    found = [
        f"`{text}` is plain text here; a parameter is `<{converter}{name}>`"
        for text, name, converter in _braced(pattern)
    ]
    if "?" in pattern:
        found.append("a path ends before `?`; read the query from `request.query_params`")
    return found


def _braced(pattern: str) -> Iterator[tuple[str, str, str]]:
    """Yield the text, the name and the converter of each `{name}`, `{name:path}` and `{*name}`."""
    if "{" not in pattern:
        return
    for found in re.finditer(r"\{(\*?)([^\W\d]\w*)(?::(int|float|uuid|path|str))?\}", pattern):
        star, name, kind = found.groups()
        converter = "path" if star else kind or ""
        yield found[0], name, f"{converter}:" if converter not in ("", "str") else ""
