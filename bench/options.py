"""Options that several command lines share. Knows argparse and the rows, and measures nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from peers import Peer


def rows(peers: Sequence[Peer]) -> Callable[[str], tuple[Peer, ...]]:
    """Reads names of rows, with commas between."""
    known = {peer.name: peer for peer in peers}
    names = some_of(tuple(known))
    return lambda text: tuple(known[name] for name in names(text))


def some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads some of these words, with commas between."""

    def read(text: str) -> tuple[str, ...]:
        if unknown := [name for name in text.split(",") if name not in known]:
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}; there are {', '.join(known)}")
        return tuple(text.split(","))

    return read


def at_least_one(text: str) -> int:
    """Reads a count."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of at least 1")
    return int(text)


def listing(peers: Sequence[Peer]) -> str:
    """What `--list` prints."""
    return "\n".join(f"{peer.name:16} {peer.command}" for peer in peers)
