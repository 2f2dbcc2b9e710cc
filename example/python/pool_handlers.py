"""Endpoints that run in the process pool.

The second argument is a `ProcessPoolExecutor`. Other requests are served while a handler waits.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from pool_workers import factorial, square, sum_of_squares, worker_pid

from snaxum import Request, route


@route("/python/pool/squares", use_process_pool=True)
def pool_squares(request: Request, pool: ProcessPoolExecutor) -> dict:
    """Square the first ten numbers, each in whichever worker is free."""
    return {
        "squares": list(pool.map(square, range(10))),
        "worker": pool.submit(worker_pid).result(),
    }


@route("/python/pool/compute", methods=["POST"], use_process_pool=True)
def pool_compute(request: Request, pool: ProcessPoolExecutor) -> dict | tuple:
    """Square the numbers in `{"numbers": [...]}`."""
    numbers = numbers_of(request)
    if numbers is None:
        return {"error": 'send {"numbers": [1, 2, 3]}'}, 422
    return {"squares": list(pool.map(square, numbers))}


@route("/python/pool/sum", methods=["POST"], use_process_pool=True)
def pool_sum(request: Request, pool: ProcessPoolExecutor) -> dict | tuple:
    """Add up the squares of the numbers in `{"numbers": [...]}`, half of them in each worker."""
    numbers = numbers_of(request)
    if numbers is None:
        return {"error": 'send {"numbers": [1, 2, 3]}'}, 422
    middle = len(numbers) // 2
    halves = [pool.submit(sum_of_squares, half) for half in (numbers[:middle], numbers[middle:])]
    return {"sum": sum(half.result() for half in halves)}


@route("/python/pool/factorial/<int:n>", use_process_pool=True)
def pool_factorial(request: Request, pool: ProcessPoolExecutor) -> dict | tuple:
    """Compute n! up to 1000!."""
    n = request.path_params["n"]
    if n > 1000:
        return {"error": "n must be at most 1000"}, 422
    return {"n": n, "factorial": str(pool.submit(factorial, n).result())}


def numbers_of(request: Request) -> list[float] | None:
    """Return the numbers of the body, or None if it has none."""
    body = request.body
    numbers = body.get("numbers") if isinstance(body, dict) else None
    if not isinstance(numbers, list) or not all(isinstance(n, (int, float)) for n in numbers):
        return None
    return numbers
