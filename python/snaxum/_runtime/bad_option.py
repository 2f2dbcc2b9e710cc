"""The error of an option whose value only Python can check.

Rust reads it where the runtime starts, and reports it as it reports other options.
"""

from __future__ import annotations


class BadOption(Exception):
    """An option with a value that cannot be used; `problem` follows "`option` is"."""

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"`{option}` is {problem}")
        self.option = option
        self.problem = problem
