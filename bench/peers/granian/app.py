"""The three endpoints in bare RSGI: no framework and no router, the most that granian can do.

JSON is encoded by the standard library, or by orjson if BENCH_JSON names it.
"""

import json
import os
from typing import Any

HEADERS = [("content-type", "application/json")]

if os.environ.get("BENCH_JSON") == "orjson":
    import orjson

    loads = orjson.loads

    def respond(protocol: Any, value: object) -> None:
        protocol.response_bytes(200, HEADERS, orjson.dumps(value))

else:
    loads = json.loads
    # Compact, as every other peer writes it; an encoder built once, as a framework would.
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

    def respond(protocol: Any, value: object) -> None:
        protocol.response_str(200, HEADERS, encode(value))


async def app(scope: Any, protocol: Any) -> None:
    match scope.path.split("/"):
        case ["", "python", "hello"]:
            respond(protocol, {"message": "hello"})
        case ["", "python", "users", user_id]:
            respond(protocol, {"user_id": int(user_id)})
        case ["", "python", "echo"]:
            respond(protocol, loads(await protocol()))
        case _:
            protocol.response_empty(404, [])
