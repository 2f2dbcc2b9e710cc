"""The process that this code runs in, if it is a worker of a handler with `workers=`.

Owns `device`. Never starts a process (`_pool`).
"""

from __future__ import annotations

# The number of this worker among the workers of its handler, from 0: the number of a GPU, for
# example. None in the server, and in a worker of the pool that all handlers share. The replacement
# of a worker has the same number.
device: int | None = None
