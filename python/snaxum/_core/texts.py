"""Text as bytes, with an error that names the character that has none."""

from __future__ import annotations


def encode_text(text: str) -> bytes:
    """Encode as UTF-8. Raises ValueError for half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text has {text[error.start]!r}, half a surrogate pair, at character "
            f"{error.start + 1}; replace it with text.encode(errors='replace')"
        ) from None
