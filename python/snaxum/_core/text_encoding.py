"""Text as bytes and back: the charsets that a client may name, and a character without bytes.

Owns no format and no header.
"""

from __future__ import annotations

import codecs


def text_codec(charset: str) -> str | None:
    """Return the codec of a charset; None if it is unknown, slow, or not of text."""
    try:
        codec = codecs.lookup(charset).name
        if codec in ("idna", "punycode", "unicode_escape", "raw_unicode_escape"):
            return None
        bytes(4).decode(charset)  # fails for a codec that is not of text
    except (LookupError, ValueError):
        return None
    return codec


def encode_text(text: str) -> bytes:
    """Encode as UTF-8. Raises ValueError for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text has {text[error.start]!r}, half a surrogate pair, at character "
            f"{error.start + 1}; replace it with text.encode(errors='replace')"
        ) from None
