"""The three endpoints in bare RSGI: no framework and no router, the most that granian can do.

JSON goes through the standard library, or through orjson where BENCH_JSON says so.
"""

import json
import os
from typing import Any

HEADERS = [("content-type", "application/json")]

if os.environ.get("BENCH_JSON") == "orjson":
    import orjson

    loads = orjson.loads

    def answer(protocol: Any, value: object) -> None:
        protocol.response_bytes(200, HEADERS, orjson.dumps(value))

else:
    loads = json.loads
    # Compact, as every other peer writes it; an encoder built once, as a framework would.
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

    def answer(protocol: Any, value: object) -> None:
        protocol.response_str(200, HEADERS, encode(value))


async def app(scope: Any, protocol: Any) -> None:
    match scope.path.split("/"):
        case ["", "python", "hello"]:
            answer(protocol, {"message": "hello"})
        case ["", "python", "users", user_id]:
            answer(protocol, {"user_id": int(user_id)})
        case ["", "python", "echo"]:
            answer(protocol, loads(await protocol()))
        case _:
            protocol.response_empty(404, [])
