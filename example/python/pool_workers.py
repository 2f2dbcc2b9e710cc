"""Tasks of the pool: plain functions at the top level of a module."""

from __future__ import annotations

import math
import os


def square(n: float) -> float:
    """Return n²."""
    return n * n


def sum_of_squares(numbers: list[float]) -> float:
    """Add up the squares."""
    return sum(n * n for n in numbers)


def factorial(n: int) -> int:
    """Return n!."""
    return math.factorial(n)


def worker_pid() -> int:
    """Return the id of this process."""
    return os.getpid()
