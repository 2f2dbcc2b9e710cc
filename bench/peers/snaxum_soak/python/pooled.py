"""Asks the pool. Not edited: soak.py writes the modules beside it, and edits those."""

from concurrent.futures import ProcessPoolExecutor

import tasks
from snaxum import Request, route


@route("/soak/pool", use_process_pool=True)
def pooled(request: Request, pool: ProcessPoolExecutor) -> dict[str, str]:
    return pool.submit(tasks.answer).result()
