"""Times tasks of a pool, whosever pool it is; `python roundtrips.py COUNT` times a plain one."""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import tasks

# Processes start with the first tasks, and import what is imported once.
WARM_UP = 200


def measure(pool: ProcessPoolExecutor, count: int) -> list[float]:
    """Microseconds from `submit` to the result, one task after the other."""
    for number in range(WARM_UP):
        pool.submit(tasks.echo, number).result()
    us = []
    for number in range(count):
        began = time.perf_counter_ns()
        pool.submit(tasks.echo, number).result()
        us.append((time.perf_counter_ns() - began) / 1e3)
    return us


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as plain:
        print(json.dumps(measure(plain, int(sys.argv[1]))))
