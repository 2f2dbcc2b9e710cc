"""Multipart forms, as a browser encodes them (RFC 7578)."""

from __future__ import annotations

import mimetypes
import os
import secrets
from collections.abc import Iterable, Mapping
from typing import Any


def multipart(fields: Iterable[tuple[str, Any]], files: Mapping[str, Any]) -> tuple[bytes, str]:
    """Encode fields and files; return the body and its content type.

    A file is bytes, text, an open file, or a tuple of file name, content and content type; a list
    of them gives several files of one name.
    """
    boundary = secrets.token_hex(16)
    parts = []
    for name, value in fields:
        for each in value if isinstance(value, list | tuple) else [value]:
            parts.append(_part(boundary, name, None, None, str(each).encode()))
    for name, value in files.items():
        for each in value if isinstance(value, list) else [value]:
            parts.append(_part(boundary, name, *_file(name, each)))
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _file(name: str, value: Any) -> tuple[str, str, bytes]:
    """Return file name, content type and content."""
    content_type = None
    if isinstance(value, tuple):
        filename, value, *more = value
        content_type = more[0] if more else None
    else:
        filename = os.path.basename(str(getattr(value, "name", name)))
    if hasattr(value, "read"):
        value = value.read()
    content = value.encode() if isinstance(value, str) else bytes(value)
    guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
    return filename, content_type or guessed, content


def _part(
    boundary: str, name: str, filename: str | None, content_type: str | None, content: bytes
) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"'
    if filename is not None:
        head += f'; filename="{_escape(filename)}"\r\nContent-Type: {content_type}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def _escape(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
