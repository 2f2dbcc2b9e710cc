"""The edited file, and a task of the pool."""

from concurrent.futures import ProcessPoolExecutor

import tasks
from snaxum import Request, route


@route("/python/hello")
def hello(request: Request) -> dict[str, str]:
    return {"message": "hello"}


@route("/python/task", use_process_pool=True)
def task(request: Request, pool: ProcessPoolExecutor) -> dict[str, str]:
    return pool.submit(tasks.message).result()
