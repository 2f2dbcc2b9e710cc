"""The HTTP types under one name, for imports.

Owns nothing: requests are in `request`, responses in `response`, the types of both in `headers`.
"""

from .headers import Headers, QueryParams, ResponseHeaders
from .http_errors import HTTPError, ValidationError
from .request import RawRequest, Request
from .response import Response, to_response

__all__ = [
    "HTTPError",
    "Headers",
    "QueryParams",
    "RawRequest",
    "Request",
    "Response",
    "ResponseHeaders",
    "ValidationError",
    "to_response",
]
