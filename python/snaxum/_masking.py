"""What no console, log or clipboard shows: secrets, told by their names or by their looks.

Owns the words and the shapes; Rust has the same for what it captures itself (`dev/masking.rs`).
Masks text only, and never what a handler or a client gets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

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
# Shorter values of the environment are words that may stand anywhere.
_SHORTEST_VALUE = 8
# What names a secret in this project besides, as `_spaced` writes it.
_extra: tuple[str, ...] = ()


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
    values = list(os.environ.items())
    return [value for name, value in values if len(value) >= _SHORTEST_VALUE and is_secret(name)]


def mask_text(text: str) -> str:
    """Mask what looks like a secret: passwords and parameters in addresses, keys, tokens, and the
    values of secret variables of the environment."""
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    text = _QUERY_PAIR.sub(lambda pair: pair[1] + (MASK if is_secret(pair[2]) else pair[3]), text)
    text = _SHAPES.sub(MASK, text)
    for name, value in list(os.environ.items()):
        if len(value) >= _SHORTEST_VALUE and value in text and is_secret(name):
            text = text.replace(value, MASK)
    return text


def mask_repr(text: str) -> str:
    """Mask the same, and what a `repr` says after the name of a secret."""
    text = _PAIR.sub(lambda pair: pair[1] + (MASK if is_secret(pair[3]) else pair[4]), text)
    return mask_text(text)


def _spaced(name: str) -> str:
    """Give the words of a name, in lower case, with a space before each and after the last."""
    return f" {_ANY_WORD_EDGE.sub(' ', name).strip().lower()} "
