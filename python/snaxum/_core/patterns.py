"""Route patterns: the grammar of `/users/<int:id>`, and how each part of one matches.

Owns the converters, the parser, and the order in which competing parts are tried. All of it has
the meaning that it has in Werkzeug, the oracle of the tests. Knows no handlers and no methods.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from .late_regex import late
from .near_names import near_names
from .records import record

# Python 3.11 refuses longer integers by default; a route must not depend on that setting.
MAX_INT_DIGITS = 4300
# A regex with several parameters takes time that grows with a power of the text's length.
MAX_REGEX_TEXT = 64
MAX_REGEX_PARAMS = 4

PathValues = tuple[object, ...]
Matcher = Callable[[str], "PathValues | None"]
Reach = list[tuple[int, int]]


class PatternError(ValueError):
    """A pattern that cannot be a route; the message gives the reason and the correction."""


@record(eq=False, repr=False)
class Converter:
    """The text that a `<name:...>` accepts, and the value that a handler gets for it.

    A lighter `weight` is tried first, then a smaller `breadth`. `reach` returns for each position
    of a text the first and last place where a value that begins there may end. `kind_of` returns
    the type of the value.
    """

    name: str
    regex: str
    weight: int
    breadth: int
    convert: Callable[[str], object]
    whole: Matcher
    reach: Callable[[str], Reach]
    example: str
    takes_slashes: bool = False
    kind_of: Callable[[], type] = lambda: str


@record(repr=False)
class Part:
    """One step of a pattern: a segment, or the rest of the path from a `<path:...>` on.

    `pieces` alternates literal text and converters, without the parameters' names: two parts are
    the same step if their pieces are equal. `match` is `None` for a part without converters.
    """

    pieces: tuple[str | Converter, ...]
    takes_rest: bool
    order: tuple[Any, ...]
    match: Matcher | None


@record(repr=False)
class Pattern:
    """A parsed pattern."""

    parts: tuple[Part, ...]
    params: tuple[tuple[str, Converter], ...]
    axum: str

    @property
    def example(self) -> str:
        """A path that matches."""
        parts = ("".join(map(_example, part.pieces)) for part in self.parts)
        return "/" + "/".join(parts)


def parse(text: str) -> Pattern:
    """Parse a pattern. Raises PatternError."""
    if not isinstance(text, str):
        raise PatternError("a pattern is a str; write `@route('/path')`")
    return _parsed(text)


# A module that runs again has mostly the same patterns.
@lru_cache(maxsize=16_384)
def _parsed(text: str) -> Pattern:
    if not text.startswith("/"):
        raise PatternError(f"a pattern starts with a slash; write `/{text}`")
    if text.startswith("//"):
        raise PatternError(f"no request path starts with two slashes; write `/{text.lstrip('/')}`")
    parts: list[Part] = []
    params: dict[str, Converter] = {}
    axum = ""
    tokens: list[str | Converter] = []
    for slash, literal, inner in _tokens(text):
        if inner is not None:
            name, converter = _param(inner)
            if name in params:
                raise PatternError(f"parameter `{name}` occurs twice; give each its own name")
            params[name] = converter
            axum += f"{{*{name}}}" if converter.takes_slashes else f"{{{name}}}"
            tokens.append(converter)
        elif slash and not any(isinstance(t, Converter) and t.takes_slashes for t in tokens):
            parts.append(_part(tokens))
            axum += "/"
            tokens = []
        else:
            axum += slash or literal.replace("{", "{{").replace("}", "}}")
            tokens.append(slash or literal)
    parts.append(_part(tokens))
    # The slash that every pattern begins with closes an empty part.
    return Pattern(tuple(parts[1:]), tuple(params.items()), axum)


def _example(piece: str | Converter) -> str:
    return piece if isinstance(piece, str) else piece.example


def _tokens(text: str) -> Iterator[tuple[str, str, str | None]]:
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise PatternError(
                f"unbalanced `{text[position]}` at character {position + 1}; "
                "write each parameter as `<name>` or `<converter:name>`"
            )
        yield token[1] or "", token[2] or "", token[3]
        position = token.end()


_TOKEN = late(r"(/)|([^<>/]+)|<([^<>]*)>")


def _param(inner: str) -> tuple[str, Converter]:
    kind, colon, name = inner.rpartition(":")
    converter = CONVERTERS.get(kind if colon else "string")
    if converter is None:
        if "(" in kind:
            raise PatternError(
                f"`<{inner}>` passes arguments to a converter, but converters take none here; "
                "check the value in the handler"
            )
        near = near_names(kind, CONVERTERS)
        hint = f"did you mean `{near[0]}`? " if near else ""
        known = ", ".join(sorted(CONVERTERS))
        raise PatternError(f"unknown converter `{kind}`; {hint}there are {known}")
    if not name.isidentifier():
        raise PatternError(
            f"`{name}` is not a parameter name; use a Python identifier, as in `<user_id>`"
        )
    return name, converter


def _part(tokens: Sequence[str | Converter]) -> Part:
    """Make a part; the part with the smaller `order` is tried first."""
    literals = [token for token in tokens if isinstance(token, str) and token != "/"]
    converters = [token for token in tokens if isinstance(token, Converter)]
    pieces: list[str | Converter] = []
    for token in tokens:
        if isinstance(token, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += token
        else:
            pieces.append(token)
    order = (
        -len(literals),
        [-len(literal) for literal in literals],
        -len(converters),
        [converter.weight for converter in converters],
        # Up to here Werkzeug's weights. For equal weights Werkzeug takes the rule defined first;
        # the rest, again from narrow to wide, makes the choice independent of that order.
        [converter.breadth for converter in converters],
        -sum(len(piece) for piece in pieces if isinstance(piece, str)),
        [piece if isinstance(piece, str) else f"<{piece.name}>" for piece in pieces],
    )
    takes_rest = any(converter.takes_slashes for converter in converters)
    return Part(tuple(pieces), takes_rest, order, _matcher(pieces) if converters else None)


def _matcher(pieces: Sequence[str | Converter]) -> Matcher:
    if len(pieces) == 1 and isinstance(pieces[0], Converter):
        return pieces[0].whole
    converts = [piece.convert for piece in pieces if isinstance(piece, Converter)]
    regex = re.compile(
        "".join(re.escape(p) if isinstance(p, str) else f"({p.regex})" for p in pieces)
    )
    # `<path:p>/` leaves one slash to the pattern, and the value does not end with another one.
    last = pieces[-1]
    one_slash = isinstance(last, str) and last.endswith("/")
    longest = MAX_REGEX_TEXT if len(converts) <= MAX_REGEX_PARAMS else 0

    def match(text: str) -> PathValues | None:
        if one_slash and text.endswith("//"):
            return None
        if len(text) > longest and len(converts) > 1:
            return match_long(pieces, text)
        found = regex.fullmatch(text)
        if found is None:
            return None
        return tuple([convert(group) for convert, group in zip(converts, found.groups())])

    return match


def match_long(pieces: Sequence[str | Converter], text: str) -> PathValues | None:
    """Match as the regex would, in time linear in the length of the text.

    From the last piece to the first, record the positions at which the remaining pieces match;
    then walk forward once and choose each value's end among them.
    """
    size = len(text)
    reaches = {piece: piece.reach(text) for piece in pieces if isinstance(piece, Converter)}
    # nearest[p] is the last position at or before p from which the rest matches, or -1.
    nearest = [-1] * size + [size]
    tables = [nearest]
    for piece in reversed(pieces):
        matching = [-1] * (size + 1)
        if isinstance(piece, str):
            position = text.find(piece)
            while position >= 0:
                end = position + len(piece)
                if nearest[end] == end:
                    matching[position] = position
                position = text.find(piece, position + 1)
        else:
            for position, (first, last) in enumerate(reaches[piece]):
                if first <= last and nearest[last] >= first:
                    matching[position] = position
        nearest = list(accumulate(matching, max))
        tables.append(nearest)
    if nearest[0] != 0:
        return None
    values = []
    position = 0
    for piece, rest in zip(pieces, tables[-2::-1]):
        if isinstance(piece, str):
            position += len(piece)
            continue
        first, last = reaches[piece][position]
        end = rest[last]
        if piece.takes_slashes:  # the shortest match; other converters take the longest
            end = next(end for end in range(first, last + 1) if rest[end] == end)
        values.append(piece.convert(text[position:end]))
        position = end
    return tuple(values)


def _runs(text: str, belongs: Callable[[str], bool]) -> list[int]:
    """Return for each position the end of the run of characters that `belongs` accepts."""
    ends = [len(text)] * (len(text) + 1)
    for position in range(len(text) - 1, -1, -1):
        ends[position] = ends[position + 1] if belongs(text[position]) else position
    return ends


_NOWHERE = (1, 0)


def _string_reach(text: str) -> Reach:
    ends = _runs(text, lambda character: character != "/")
    return [(position + 1, ends[position]) for position in range(len(text))]


def _int_reach(text: str) -> Reach:
    ends = _runs(text, str.isdecimal)
    return [(p + 1, min(ends[p], p + MAX_INT_DIGITS)) for p in range(len(text))]


def _float_reach(text: str) -> Reach:
    ends = _runs(text, str.isdecimal)
    return [
        (dot + 2, ends[dot + 1]) if dot > position and text[dot : dot + 1] == "." else _NOWHERE
        for position, dot in enumerate(ends[:-1])
    ]


def _uuid_reach(text: str) -> Reach:
    return [(p + 36, p + 36) if _UUID.match(text, p) else _NOWHERE for p in range(len(text))]


def _path_reach(text: str) -> Reach:
    ends = _runs(text, lambda character: character != "\n")
    return [
        _NOWHERE if text[position] == "/" else (position + 1, ends[position + 1])
        for position in range(len(text))
    ]


def _whole_string(text: str) -> PathValues | None:
    return (text,) if text and "/" not in text else None


def _whole_int(text: str) -> PathValues | None:
    return (int(text),) if text.isdecimal() and len(text) <= MAX_INT_DIGITS else None


def _whole_float(text: str) -> PathValues | None:
    return (float(text),) if _FLOAT.fullmatch(text) else None


def _whole_uuid(text: str) -> PathValues | None:
    return (_to_uuid(text),) if _UUID.fullmatch(text) else None


def _to_uuid(text: str) -> object:
    return _kind_of_uuid()(text)


def _kind_of_uuid() -> type:
    from uuid import UUID  # with `platform`: a good part of a start

    return UUID


def _whole_path(text: str) -> PathValues | None:
    return (text,) if _PATH.fullmatch(text) else None


_FLOAT = late(r"\d+\.\d+")
_UUID = late("-".join(f"[0-9A-Fa-f]{{{digits}}}" for digits in (8, 4, 4, 4, 12)))
_PATH = late("[^/].*?")

CONVERTERS = {
    converter.name: converter
    for converter in (
        Converter(
            "int",
            rf"\d{{1,{MAX_INT_DIGITS}}}",
            50,
            0,
            int,
            _whole_int,
            _int_reach,
            "1",
            kind_of=lambda: int,
        ),
        Converter(
            "float",
            _FLOAT.pattern,
            50,
            1,
            float,
            _whole_float,
            _float_reach,
            "1.5",
            kind_of=lambda: float,
        ),
        Converter(
            "uuid",
            _UUID.pattern,
            100,
            2,
            _to_uuid,
            _whole_uuid,
            _uuid_reach,
            "00000000-0000-0000-0000-000000000000",
            kind_of=_kind_of_uuid,
        ),
        Converter("string", "[^/]+", 100, 3, str, _whole_string, _string_reach, "x"),
        Converter("path", _PATH.pattern, 200, 4, str, _whole_path, _path_reach, "x/y", True),
    )
}


def _any_rest(text: str) -> PathValues | None:
    return (text,)


_REST = Converter("path", "(?s:.*)", 300, 5, str, _any_rest, _path_reach, "x/y", True)
# The paths below a mount, tried after all other parts: any text, also none.
ANY_REST = Part((_REST,), True, (1,), _any_rest)
# The part `<path:...>` alone in its segment.
PATH_REST = (CONVERTERS["path"],)
