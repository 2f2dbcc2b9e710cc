"""What no console, log or clipboard shows: secrets, told by their names or by their looks.

Owns the words and the shapes; Rust has the same for what it captures itself (`dev/masking.rs`).
Masks text only, and never what a handler or a client gets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MASK = "••••"

_WORDS = re.compile(
    r"(?:^|_)(?:api|auths?|authorization|cards?|cookies?|credentials?|csrf|cvv|dsn|jwt|keys?|otp|pass|"
    r"passwd|passwords?|passphrase|pat|pin|private|secrets?|sessions?|signatures?|ssn|tokens?)(?:_|$)"
    r"|database_url|connection_string"
)
_WORD_EDGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
# Those of a language, for the words of a project.
_ANY_WORD_EDGE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
_QUERY_PAIR = re.compile(r"""([?&]([^\s=&'"]+)=)([^\s&'"]*)""")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")
# `name: value` and `name=value` as a repr writes them, however deep.
_PAIR = re.compile(
    r"""((['"]?)\b([^\W\d][\w-]*)\2\s*[:=]\s*)"""
    r"""(b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^\s,)}\]]+)"""
)
# What is a secret wherever it stands: RFC 7468 (PEM), RFC 7519 (JWT), and the keys of services that
# mark theirs.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\bA[KS]IA[A-Z0-9]{16}\b"
    r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}"
    r"|\bsk-[\w-]{16,}"
    r"|\bxox[abprs]-[\w-]{10,}",
    re.DOTALL,
)
# A key whose end is not there.
_BEGUN_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?!.*-----END )", re.DOTALL)
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]*-----")
# Shorter values of the environment are words that may stand anywhere.
_SHORTEST_VALUE = 8
# How many times its limit is looked at of a text that is cut.
SLACK = 4
# What names a secret in this project besides, as `_spaced` writes it.
_extra: tuple[str, ...] = ()
# An environment, further names, and the values that are looked for with these.
_known: tuple[Mapping[Any, Any], tuple[str, ...], tuple[str, ...]] | None = None


def add_words(names: Iterable[str]) -> None:
    """Take values of these names, too, for secrets from now on."""
    global _extra
    _extra = (*_extra, *map(_spaced, names))


def is_secret(name: str) -> bool:
    """Tell whether a value of this name is masked wherever it would be shown."""
    if _WORDS.search(_WORD_EDGE.sub("_", name).lower()):
        return True
    return bool(_extra) and any(words in _spaced(name) for words in _extra)


def secret_values() -> list[str]:
    """Give what the secret variables of the environment hold, but for what is short."""
    return _secret_values(dict(_environ()))


def mask_text(text: str) -> str:
    """Mask what looks like a secret: passwords and parameters in addresses, keys, tokens, and the
    values of secret variables of the environment."""
    return _masked(text, _spans(text))


def mask_repr(text: str) -> str:
    """Mask the same, and what a `repr` says after the name of a secret."""
    pairs = [pair.span(4) for pair in _PAIR.finditer(text) if is_secret(pair[3])]
    return _masked(text, pairs + _spans(text))


def mask_beginning(
    text: str, limit: int, mask: Callable[[str], str] = mask_text
) -> tuple[str, int]:
    """Mask a long text, and cut it to `limit`; gives how many characters more there are, too.

    Nothing beyond `SLACK` times `limit` is looked at.
    """
    looked_at = SLACK * limit
    masked = mask(text[:looked_at])
    # A secret may begin at the end of what is looked at, where nothing tells it for one.
    shown = masked[:limit] if len(text) <= looked_at else masked[:-limit][:limit]
    return shown, len(masked) - len(shown) + max(0, len(text) - looked_at)


def begins_key(text: str) -> bool:
    """Tell whether a private key begins here and goes on in the next line."""
    return "-----BEGIN " in text and _BEGUN_KEY.search(text) is not None


def end_of_key(text: str) -> int | None:
    """Give where the key ends that an earlier line has begun, if it does."""
    end = _END_OF_KEY.search(text)
    return end.end() if end else None


Span = tuple[int, int]


def _spans(text: str) -> list[Span]:
    """Find each secret in the text as it is: a mask in it would hide what is around."""
    found = [shape.span() for shape in _SHAPES.finditer(text)]
    if "://" in text:
        found += [address.span(2) for address in _URL_PASSWORD.finditer(text)]
    if "=" in text:
        found += [pair.span(3) for pair in _QUERY_PAIR.finditer(text) if is_secret(pair[2])]
    for value in _known_values():
        at = text.find(value)
        while at >= 0:
            found.append((at, at + len(value)))
            at = text.find(value, at + 1)
    return found


def _masked(text: str, spans: list[Span]) -> str:
    """Put one mask in the place of each span, and of those together that overlap."""
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


def _known_values() -> tuple[str, ...]:
    """Give the values that are looked for; they are made anew when the environment has changed."""
    global _known
    known = _known
    if known is None or known[0] != _environ() or known[1] != _extra:
        environ, extra = dict(_environ()), _extra
        known = _known = environ, extra, tuple(_with_lines(_secret_values(environ)))
    return known[2]


def _environ() -> Mapping[Any, Any]:
    """Give what `os.environ` is made of: to compare and to copy it needs no decoding."""
    environ: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return environ


def _secret_values(environ: Mapping[Any, Any]) -> list[str]:
    values = [(os.fsdecode(name), os.fsdecode(value)) for name, value in environ.items()]
    return [value for name, value in values if len(value) >= _SHORTEST_VALUE and is_secret(name)]


def _with_lines(values: list[str]) -> set[str]:
    """Give the values, and the lines of those that have several: a print is told line by line."""
    lines = (line.strip() for value in values for line in value.splitlines())
    return {*values, *(line for line in lines if len(line) >= _SHORTEST_VALUE)}


def _spaced(name: str) -> str:
    """Give the words of a name, in lower case, with a space before each and after the last."""
    return f" {_ANY_WORD_EDGE.sub(' ', name).strip().lower()} "
