"""Makes the pool that the options name: local processes, or dask.distributed.

Owns the choice; everything else sees a `TaskPool`. Never runs a task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._debug.output import OnLine
    from .._runtime.child_imports import Framework
    from .executor import TaskPool

# The value of `pool` for a cluster that the server starts, and the prefix of one that it joins.
LOCAL_CLUSTER = "dask"
CLUSTER_PREFIX = "dask://"


def make(
    kind: str,
    retries: int,
    workers: int,
    framework: Framework,
    roots: Sequence[str],
    project: str,
    secret_names: Sequence[str],
    on_line: OnLine | None,
    raw_output: bool,
    on_event: Callable[[bytes], None] | None,
) -> TaskPool:
    """Make a pool of a `kind`: `processes`, `dask` or `dask://HOST:PORT`.

    Nothing starts before `warm_up`, or the first task. The other parameters are as for `Pool`.
    """
    given = (workers, framework, roots, project, secret_names, on_line)
    if kind == LOCAL_CLUSTER or kind.startswith(CLUSTER_PREFIX):
        from .dask_pool import DaskPool  # large, and rarely needed

        address = None if kind == LOCAL_CLUSTER else kind.removeprefix(CLUSTER_PREFIX)
        return DaskPool(address, *given, on_event, retries)
    from .pool import Pool

    return Pool(*given, raw_output, on_event, retries)
