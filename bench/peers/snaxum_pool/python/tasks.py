"""Runs in the pools' processes."""


def answer(number: int) -> int:
    return number
