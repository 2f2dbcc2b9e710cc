"""Runs in the pools' processes."""


def echo(number: int) -> int:
    return number
