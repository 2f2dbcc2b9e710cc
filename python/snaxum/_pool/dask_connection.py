"""The connection to a Dask cluster, which runs already or is started here.

Owns the client, and the local cluster with its processes. Imports `distributed`, which is the
user's, when it connects and never before. Never submits a task of its own accord (`dask_pool`).
"""

from __future__ import annotations

import asyncio
import copyreg
import importlib
import importlib.util
import logging
import os
import signal
import warnings
from contextlib import suppress
from multiprocessing import resource_tracker
from typing import Any

from .._reload import loader

# The time of one attempt to connect.
CONNECT_S = 5.0
# The time that the processes of a local cluster may take to start.
START_S = 60.0
# The time that an interrupted task of a local cluster has before its process is restarted.
INTERRUPT_S = 2.0


class NotConnected(Exception):
    """There is no cluster. The text is for the log; `reason`, for clients, has no address."""

    def __init__(self, problem: str, at: str = "") -> None:
        super().__init__(problem.format(at=f" at {at}" if at else ""))
        self.reason = problem.format(at="")


class ClusterConnection:
    """A client of a scheduler, all of it on the running loop."""

    def __init__(self, distributed: Any, client: Any, cluster: Any, watched: Any) -> None:
        self.distributed = distributed
        self.client = client
        # The local cluster, if it is one.
        self.cluster = cluster
        self._watched = watched
        self.dashboard = None if cluster is not None and not _has_bokeh() else _dashboard(client)
        # Ends when the scheduler is gone.
        self.lost: asyncio.Future[None] = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        """Wait for the end of a connection on which the scheduler never sends anything."""
        if self._watched is None:
            await asyncio.get_running_loop().create_future()  # the scheduler is in this process
        with suppress(Exception):
            await self._watched.read()

    async def worker_addresses(self) -> dict[str, int]:
        """Return the number of threads of each worker."""
        found = await self.client.scheduler.identity()
        return {address: each["nthreads"] for address, each in found["workers"].items()}

    async def end_task(self, worker: str, call: tuple[Any, ...], ended: asyncio.Event) -> None:
        """Interrupt a running task by `client.run(*call)`; `ended` is set when it has ended.

        A process of the local cluster that does not react is restarted.
        """
        with suppress(Exception):
            await asyncio.wait_for(self.client.run(*call, workers=[worker]), CONNECT_S)
        if self.cluster is None:
            return
        try:
            await asyncio.wait_for(ended.wait(), INTERRUPT_S)
        except (asyncio.TimeoutError, TimeoutError):
            for nanny in list(self.cluster.workers.values()):
                if nanny.worker_address == worker:
                    _kill(_process_of(nanny))  # the nanny starts another one

    async def close(self, limit: float) -> None:
        """Leave the cluster; end a local one, at the latest after `limit` s."""
        self.lost.cancel()
        if self._watched is not None:
            self._watched.abort()
        if self.cluster is not None:
            # Its parts log that they lose each other.
            logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
        log = logging.getLogger("distributed.client")
        level = log.level
        log.setLevel(logging.CRITICAL + 1)  # it logs that it does not connect again
        with suppress(Exception, asyncio.CancelledError):
            await self.client.close(timeout=limit)
        log.setLevel(level)
        if self.cluster is not None:
            await _end(self.cluster, limit)


async def connect(address: str | None, size: int) -> ClusterConnection:
    """Connect to the scheduler at `address`, or start a local cluster of `size` workers.

    Raises NotConnected.
    """
    try:
        distributed = _import_distributed()
    except ImportError as error:
        if error.name not in ("distributed", "dask"):
            problem = f"`distributed` cannot be imported: {_braced(_one_line(error))}"
            raise NotConnected(problem) from None
        raise NotConnected(
            "`pool` names Dask, and the package `distributed` is not installed; "
            "run `pip install distributed`"
        ) from None
    # Its advice is for Dask's own arrays.
    warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
    if address is None:
        return await _start_local(distributed, size)
    return await _join(distributed, address)


def _import_distributed() -> Any:
    before = set(copyreg.dispatch_table)
    imported = importlib.import_module("distributed")
    # It registers every exception that there is, which would never be freed after a reload.
    for kind in set(copyreg.dispatch_table) - before:
        if loader.is_user_module_name(kind.__module__):
            del copyreg.dispatch_table[kind]
    return imported


async def _join(distributed: Any, address: str) -> ClusterConnection:
    host, _, port = address.rpartition(":")
    unreachable = "the Dask scheduler{at} cannot be reached: "
    try:
        # Dask would try again until the time is over, also if nothing listens.
        opened = asyncio.open_connection(host.strip("[]"), int(port))
        _, writer = await asyncio.wait_for(opened, CONNECT_S)
        writer.close()
    except Exception as error:
        raise NotConnected(unreachable + _braced(_cause(error)), address) from None
    security = distributed.Security()
    scheme = "tls" if security.require_encryption else "tcp"
    uri = f"{scheme}://{address}"
    arguments = security.get_connection_args("client")
    try:
        watched = await distributed.core.connect(uri, timeout=CONNECT_S, **arguments)
    except Exception as error:
        raise NotConnected(unreachable + _braced(_cause(error)), address) from None
    try:
        asked = distributed.core.send_recv(watched, op="versions")
        reply = await asyncio.wait_for(asked, CONNECT_S)
        found = reply["packages"]["distributed"]
    except Exception:
        watched.abort()
        raise NotConnected("the program{at} is not a Dask scheduler", address) from None
    ours = distributed.versions.get_versions()["packages"]["distributed"]
    if found != ours:
        watched.abort()
        problem = f"the Dask scheduler{{at}} has distributed {_braced(str(found))}, and the server "
        raise NotConnected(problem + f"has {ours}; install the same version", address)
    try:
        client = await _open_client(distributed, uri, security)
    except Exception as error:
        watched.abort()
        raise NotConnected(unreachable + _braced(_cause(error)), address) from None
    return ClusterConnection(distributed, client, None, watched)


async def _start_local(distributed: Any, size: int) -> ClusterConnection:
    _shield_children()
    cluster: Any = None
    try:
        cluster = distributed.LocalCluster(
            n_workers=size,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0" if _has_bokeh() else None,
            asynchronous=True,
        )
        cluster.shutdown_on_close = False  # by `atexit`: it would wait for this loop
        await asyncio.wait_for(_wait_for(cluster), START_S)
        client = await _open_client(distributed, cluster, cluster.security)
    except BaseException as error:
        if cluster is not None:
            await _end(cluster, INTERRUPT_S)
        if not isinstance(error, Exception):
            raise
        raise NotConnected(
            f"the local Dask cluster does not start: {_braced(_cause(error))}"
        ) from None
    return ClusterConnection(distributed, client, cluster, None)


async def _open_client(distributed: Any, where: Any, security: Any) -> Any:
    with warnings.catch_warnings():
        # The versions of `distributed` are equal, and Dask warns of every other difference.
        warnings.simplefilter("ignore")
        client = distributed.Client(
            where,
            asynchronous=True,
            set_as_default=False,
            security=security,
            timeout=CONNECT_S,
            name="snaxum",
        )
        return await _wait_for(client)


def _has_bokeh() -> bool:
    """Report whether a local cluster can have a dashboard."""
    return importlib.util.find_spec("bokeh") is not None


def _dashboard(client: Any) -> str | None:
    """Return the address of the cluster's dashboard; None if it has none."""
    try:
        return client.dashboard_link or None
    except (KeyError, AttributeError, ValueError):
        return None


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable


async def _end(cluster: Any, limit: float) -> None:
    """End a local cluster and its processes, at the latest after `limit` s."""
    processes = [_process_of(nanny) for nanny in cluster.workers.values()]
    with suppress(Exception, asyncio.CancelledError):
        await asyncio.wait_for(cluster.close(timeout=limit), limit)
    for process in [*processes, *map(_process_of, cluster.workers.values())]:
        _kill(process)


def _process_of(nanny: Any) -> Any:
    """Return the process of a worker, while there is one."""
    return getattr(getattr(nanny, "process", None), "process", None)


def _kill(process: Any) -> None:
    with suppress(OSError):
        if process is not None and process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGKILL)


def _shield_children() -> None:
    """Let the processes that this thread starts ignore Ctrl-C: the server ends them."""
    resource_tracker.ensure_running()  # it unblocks SIGINT
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _cause(error: BaseException) -> str:
    """Describe the first cause of an error in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)) and not str(error):
        return f"no reply within {CONNECT_S:g} s"
    if isinstance(error, OSError) and error.strerror and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else error.strerror
    return _one_line(error)


def _one_line(error: BaseException) -> str:
    lines = str(error).split("\n")
    return lines[0] or type(error).__name__


def _braced(text: str) -> str:
    """Make a text safe for `str.format`."""
    return text.replace("{", "{{").replace("}", "}}")
