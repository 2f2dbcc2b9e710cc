"""Counts Python's objects. Never edited."""

import gc

from snaxum import Request, route


@route("/python/objects")
def objects(request: Request) -> dict[str, int]:
    gc.collect()
    return {"objects": len(gc.get_objects())}
