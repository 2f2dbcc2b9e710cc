"""A neighbor of the Rust endpoint: a handler that computes for a while."""

import time

from snaxum import Request, route


@route("/python/compute")
def compute(request: Request) -> dict[str, int]:
    # The time of this thread, so that it is the same work however many wait for the interpreter.
    end = time.thread_time() + 0.05
    number = 0
    while time.thread_time() < end:
        number = (number * 31 + 7) % 1_000_003
    return {"number": number}
