"""Runs in the pool's processes. Edited to see how soon they run the new code."""


def message() -> dict[str, str]:
    return {"message": "hello"}
