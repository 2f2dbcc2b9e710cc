"""Masks secrets, recognised by name, form or value, in texts for consoles and logs.

Owns the matching in Python. The words and patterns are in `redact.json`, which Rust reads too
(`src/dev/redact.rs`): `words` and `phrases` of names, `patterns` of secrets with a known form, and
`url_password`, whose second group is the secret. Masks recorded text only, never the data of a
handler or a client.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping

# By name: the user's code may replace `json.loads`.
from json import loads
from typing import Any

from .._core.late_regex import late
from .._core.records import record

MASK = "••••"

_WORD_EDGE = late(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
# The same for words of any language, as a project may name them.
_ANY_WORD_EDGE = late(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
_QUERY_PAIR = late(r"""([?&]([^\s=&'"]+)=)([^\s&'"]*)""")
# The beginnings of `name: value`, `name=value` and `(name, value)` in a repr, at any depth.
_NAMED = late(r"""(['"]?)\b([^\W\d][\w-]*)\1\s*[:=]\s*""")
_FIRST = late(r"""\(\s*b?(['"])([^\W\d][\w-]*)\1\s*,\s*""")
# A value is a literal, whose end may be cut, a sequence of them, or ends before the next space.
_LITERAL = r"""(?:b?'(?:[^'\\]|\\.)*(?:'|\\?\Z)|b?"(?:[^"\\]|\\.)*(?:"|\\?\Z))"""
_VALUE = rf"(?:[(\[{{]+(?:{_LITERAL}[\s,]*)+|{_LITERAL}|[^\s,)}}\]]+)"
_ONE = late(_VALUE)
_REST = late(rf"{_VALUE}(?:\s*,\s*{_VALUE})*")
# A private key without its end.
_BEGUN_KEY = late(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?!.*-----END )", re.DOTALL)
_END_OF_KEY = late(r"-----END [A-Z0-9 ]*-----")
# Shorter values of the environment are ordinary words.
_SHORTEST_VALUE = 8
# A whole literal is recognised by a shorter one.
_SHORTEST_LITERAL = 4
# The part of a long text that is checked, as a multiple of the limit that it is cut to.
SLACK = 4
# The names of secrets in this project, as `_spaced` writes them.
_extra: tuple[str, ...] = ()
# An environment, names, and the values found with both.
_known: _KnownValues | None = None


@record(eq=False, repr=False)
class _KnownValues:
    """The values of secret variables."""

    environ: Mapping[Any, Any]
    extra: tuple[str, ...]
    # As they are; masked anywhere; masked as a whole literal.
    values: tuple[str, ...]
    long: tuple[str, ...]
    short: frozenset[str]


@record(eq=False, repr=False)
class Rules:
    """The regular expressions made from `redact.json`."""

    names: re.Pattern[str]
    forms: re.Pattern[str]
    url_password: re.Pattern[str]


@functools.cache
def rules() -> Rules:
    """Read `redact.json`, on first use: a server without errors needs none of it."""
    loader: Any = __spec__.loader
    data = loads(loader.get_data(os.path.join(os.path.dirname(__file__), "redact.json")))
    words = f"(?:^|_)(?:{'|'.join(data['words'])})(?:_|$)"
    return Rules(
        re.compile("|".join([words, *map("_".join, data["phrases"])])),
        re.compile("|".join(pattern["regex"] for pattern in data["patterns"])),
        re.compile(data["url_password"]),
    )


def add_words(names: Iterable[str]) -> None:
    """Mask values of these names, too, from now on."""
    global _extra
    _extra = (*_extra, *map(_spaced, names))


def is_secret(name: str) -> bool:
    """Report whether values of this name are masked."""
    if rules().names.search(_WORD_EDGE.sub("_", name).lower()):
        return True
    return bool(_extra) and any(words in _spaced(name) for words in _extra)


def secret_values() -> list[str]:
    """Return the values of the environment's secret variables, without the short ones."""
    return list(_known_values().values)


def short_values() -> frozenset[str]:
    """Return the values of secret variables that a literal may be, short ones included."""
    return _known_values().short


def mask_text(text: str) -> str:
    """Mask passwords and parameters in URLs, keys, tokens, and values of secret variables."""
    return _masked(text, secret_spans(text))


def mask_repr(text: str) -> str:
    """Mask the same, and the value after the name of a secret in a `repr`."""
    spans = secret_spans(text)
    for beginning, value in ((_NAMED, _ONE), (_FIRST, _REST)):
        for name in beginning.finditer(text):
            if is_secret(name[2]) and (found := value.match(text, name.end())):
                spans.append(found.span())
    return _masked(text, spans)


def mask_beginning(
    text: str, limit: int, mask: Callable[[str], str] = mask_text
) -> tuple[str, int]:
    """Mask a long text and cut it to `limit`; return it with the number of dropped characters.

    Checks nothing beyond `SLACK` times `limit`.
    """
    checked_length = SLACK * limit
    masked = mask(text[:checked_length])
    # A secret that begins at the end of the checked part may not be recognised.
    shown = masked[:limit] if len(text) <= checked_length else masked[:-limit][:limit]
    return shown, len(masked) - len(shown) + max(0, len(text) - checked_length)


def begins_key(text: str) -> bool:
    """Report whether a private key begins in this line and continues in the next."""
    return "-----BEGIN " in text and _BEGUN_KEY.search(text) is not None


def end_of_key(text: str) -> int | None:
    """Return the end of a key that an earlier line has begun, if it is in this line."""
    end = _END_OF_KEY.search(text)
    return end.end() if end else None


Span = tuple[int, int]


def secret_spans(text: str) -> list[Span]:
    """Find each secret in the original text: the mask of one could hide another."""
    found = [match.span() for match in rules().forms.finditer(text)]
    if "://" in text:
        found += [url.span(2) for url in rules().url_password.finditer(text)]
    if "=" in text:
        found += [pair.span(3) for pair in _QUERY_PAIR.finditer(text) if is_secret(pair[2])]
    for value in known_values():
        at = text.find(value)
        while at >= 0:
            found.append((at, at + len(value)))
            at = text.find(value, at + 1)
    return found


def _masked(text: str, spans: list[Span]) -> str:
    """Replace each span with a mask, and overlapping spans with one."""
    if not spans:
        return text
    parts, done, is_open = [], 0, False
    for start, end in sorted(spans):
        if start > done or not is_open:
            parts += [text[done:start], MASK]
            is_open = True
        done = max(done, end)
    parts.append(text[done:])
    return "".join(parts)


def known_values() -> tuple[str, ...]:
    """Return the values to search for."""
    return _known_values().long


def _known_values() -> _KnownValues:
    """Return the values; computed again when the environment has changed."""
    global _known
    known = _known
    if known is None or known.environ != _environ() or known.extra != _extra:
        environ, extra = dict(_environ()), _extra
        values = _secret_values(environ)
        long = tuple(_with_lines(values))
        short = frozenset(_secret_values(environ, _SHORTEST_LITERAL))
        known = _known = _KnownValues(environ, extra, tuple(values), long, short)
    return known


def _environ() -> Mapping[Any, Any]:
    """Return the encoded mapping inside `os.environ`: it is compared and copied faster."""
    environ: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return environ


def _secret_values(environ: Mapping[Any, Any], shortest: int = _SHORTEST_VALUE) -> list[str]:
    values = [(os.fsdecode(name), os.fsdecode(value)) for name, value in environ.items()]
    return [value for name, value in values if len(value) >= shortest and is_secret(name)]


def _with_lines(values: list[str]) -> set[str]:
    """Return the values and each of their lines: output is masked line by line."""
    lines = (line.strip() for value in values for line in value.splitlines())
    return {*values, *(line for line in lines if len(line) >= _SHORTEST_VALUE)}


def _spaced(name: str) -> str:
    """Return the words of a name, in lower case, with a space before each and after the last."""
    return f" {_ANY_WORD_EDGE.sub(' ', name).strip().lower()} "
