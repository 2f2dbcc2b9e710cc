"""Parses a file of environment variables, with the meaning of python-dotenv's documentation.

Reads bytes; never sets a variable, and never repeats a part of a line in a warning: it may be a
secret. A line without a meaning costs only itself.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._core.late_regex import late

_EXPORT = late(r"(?:export[^\S\r\n]+)?")
# A name may be quoted; quotes around a value may enclose lines.
_STATEMENT = late(
    r"""
    (?: '(?P<quoted_name>[^']+)' | (?P<name>(?!')[^=\#\s]+) )
    [^\S\r\n]*
    (?P<assignment>
        =
        (?: [^\S\r\n]+ (?=\#)
        |   [^\S\r\n]* '(?P<single>(?:\\.|[^'\\])*)'
        |   [^\S\r\n]* "(?P<double>(?:\\.|[^"\\])*)"
        |   [^\S\r\n]* (?P<plain>(?![^\S\r\n]*['"])[^\r\n]*)
        )
    )?
    """,
    re.VERBOSE | re.DOTALL,
)
_REST = late(r"(?:[^\S\r\n]*\#[^\r\n]*)?[^\S\r\n]*(?:\r\n|\n|\r|\Z)")
_LINE = late(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_LINE_BREAK = late(r"\r\n|\n|\r")
_BLANK = late(r"\s*")
_VARIABLE = late(r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_SINGLE_ESCAPE = late(r"\\[\\']")
_DOUBLE_ESCAPE = late(r"\\[\\'\"abfnrtv]")

_NO_ASSIGNMENT = "is not NAME=value, and is ignored; put quotes around a value with quotes in it"
_NOT_UTF8 = "is not UTF-8, and its variable is ignored; save the file as UTF-8"
_NUL = "contains a NUL byte, and its variable is ignored; remove it"


@dataclass(eq=False, repr=False)
class Parsed:
    """The variables of a file, and the lines without a meaning: their numbers and what they are."""

    values: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)


def parse(content: bytes, environment: Mapping[str, str]) -> Parsed:
    """Read all variables, in order; the last value of a name counts.

    `${NAME}` takes the value in `environment`, or else of a line above.
    """
    text, parsed = _decode(content), Parsed()
    at = _end_of(_BLANK, text, 0)
    while at < len(text):
        begin = _end_of(_EXPORT, text, at)
        found = _STATEMENT.match(text, begin)
        end = found.end() if found else begin
        rest = _REST.match(text, end)
        problem = None
        if rest is None or (found and not found["assignment"]):
            problem, end = _NO_ASSIGNMENT, _end_of(_LINE, text, end)
        else:
            end = rest.end()
            if found is not None:
                problem = _add(found, parsed.values, environment)
        if problem is not None:
            parsed.problems.append((1 + len(_LINE_BREAK.findall(text, 0, at)), problem))
        at = _end_of(_BLANK, text, end)
    return parsed


def _add(
    found: re.Match[str], values: dict[str, str], environment: Mapping[str, str]
) -> str | None:
    """Add a variable to `values`; return the problem if that is not possible."""
    if any("\udc80" <= character <= "\udcff" for character in found.group()):
        return _NOT_UTF8
    name = found["quoted_name"] or found["name"]

    def value_of(variable: re.Match[str]) -> str:
        known = environment if variable["name"] in environment else values
        return known.get(variable["name"], variable["default"] or "")

    value = _VARIABLE.sub(value_of, _unquoted(found))
    if "\0" in name + value:
        return _NUL
    values[name] = value
    return None


def _unquoted(found: re.Match[str]) -> str:
    if found["single"] is not None:
        return _SINGLE_ESCAPE.sub(_unescaped, found["single"])
    if found["double"] is not None:
        return _DOUBLE_ESCAPE.sub(_unescaped, found["double"])
    return re.sub(r"\s+#.*", "", found["plain"] or "").rstrip()


def _unescaped(found: re.Match[str]) -> str:
    return codecs.decode(found.group(), "unicode-escape")


def _decode(content: bytes) -> str:
    """Decode UTF-8, with lone surrogates for other bytes; UTF-16, which PowerShell writes."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None, "the pattern matches the empty text"
    return found.end()
