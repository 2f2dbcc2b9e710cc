"""The HTTP nouns under one name, for those who import them.

Owns nothing: requests are in `request`, answers in `response`, what both share in `headers`.
"""

from .headers import Headers, QueryParams, ResponseHeaders
from .request import RawRequest, Request
from .response import HTTPError, Response, to_response

__all__ = [
    "HTTPError",
    "Headers",
    "QueryParams",
    "RawRequest",
    "Request",
    "Response",
    "ResponseHeaders",
    "to_response",
]
