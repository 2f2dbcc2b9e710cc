"""The JSON codec of the server, which is in Rust.

Owns its functions, for `json_encoding` and `json_decoding`: they do its work where there is none,
as in a worker of the pool, and the rest of it. Never encodes a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._host import HostApi

# Encodes a value, the second argument converts a value of another type; None if it does not.
EncodeJson = Callable[[object, Callable[[object], object]], "bytes | None"]
# Decodes a document. Raises ValueError if it does not.
DecodeJson = Callable[[bytes], Any]

# As an argument: the function of the server, if there is one.
FOUND: Any = object()

encode: EncodeJson | None = None
decode: DecodeJson | None = None


def use(host: HostApi) -> None:
    """Encode and decode with the functions of Rust."""
    global encode, decode
    encode, decode = host.encode_json, host.decode_json
