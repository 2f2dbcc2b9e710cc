"""The place of this process in its server: `snaxum.process`."""

from __future__ import annotations


class ServerProcess:
    """A process of `snaxum serve --processes N`.

    Modules, `on_startup` hooks, kept values and pools exist once in each of them.
    """

    __slots__ = ("_count", "_number")

    def __init__(self) -> None:
        self._number = self._count = 1

    @property
    def number(self) -> int:
        """The number of this process, from 1. A replacement has the same number."""
        return self._number

    @property
    def count(self) -> int:
        """The number of processes that serve; 1 unless `--processes` names another."""
        return self._count

    def __repr__(self) -> str:
        return f"<process {self._number} of {self._count}>"


process: ServerProcess = ServerProcess()


def assign(number: int, count: int) -> None:
    """Set the place of this process; the server calls it before modules load."""
    process._number, process._count = number, count
