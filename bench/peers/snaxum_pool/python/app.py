"""Times Snaxum's pool from inside a handler, where a user would wait for it."""

from concurrent.futures import ProcessPoolExecutor

import roundtrips
from snaxum import Request, route


@route("/python/hello")
def hello(request: Request) -> dict[str, str]:
    return {"message": "hello"}


@route("/python/roundtrips/<int:count>", use_process_pool=True)
def times(request: Request, pool: ProcessPoolExecutor) -> list[float]:
    return roundtrips.measure(pool, request.path_params["count"])
