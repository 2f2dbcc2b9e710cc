"""The body of a request as a data frame, for a parameter whose annotation is one.

Owns the errors for the client; the formats are in `frames`.
"""

from __future__ import annotations

import typing
from typing import Any

from ..http_errors import HTTPError
from . import frames
from .values import is_multipart


def read(request: Any, annotation: Any) -> Any:
    """Return the body as `annotation`, by its content type. Raises HTTPError 400 or 415."""
    kinds = (annotation, *typing.get_args(annotation))
    kind = next(each for each in kinds if frames.library_of(each) is not None)
    data = b"" if is_multipart(request.content_type) else request.data
    try:
        return frames.read(kind, request.content_type, data)
    except frames.FrameError as error:
        raise HTTPError(error.status, str(error)) from None
