"""Starts a peer, reports its cost, and ends it with every process it made.

Knows processes, nothing of HTTP beyond "the port is open". Never signals a process outside the
session that it has started itself.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers import Peer
from setup import BENCH, HOME, Installation

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
LOGS = HOME / "logs"
# The field of `stat` after the name, and the state of a socket in `/proc/net/tcp`.
_START_TIME = 19
_PARENT = 1
_LISTEN = "0A"


class ServerError(Exception):
    """The peer did not start, or died."""


@dataclass(frozen=True)
class Memory:
    """Figures of all processes together. Shared pages are counted for each in `rss`, and once
    in `pss`."""

    rss_mb: float
    pss_mb: float
    processes: int


@dataclass(frozen=True)
class ProcessFigures:
    """Figures of one process."""

    rss_mb: float
    open_files: int
    threads: int


@dataclass(frozen=True)
class Server:
    """A peer that runs. `app` is its copy of the program's directory; `session` is also the id of
    the process that was started."""

    app: Path
    port: int
    session: int
    # By `time.perf_counter`, right before it was started.
    began: float

    def pids(self) -> list[int]:
        """Every process of it that lives."""
        return sorted(_session(self.session))

    def is_alive(self) -> bool:
        return self.session in _session(self.session)

    def serving_pid(self) -> int:
        """The newest process that has the port open, and is not the supervisor of one."""
        sockets = {f"socket:[{inode}]" for inode in _listeners(self.port)}
        session = _session(self.session)
        holders = [pid for pid in session if sockets & _open_sockets(pid)]
        if not holders:
            raise ServerError(f"no process has port {self.port} open")
        # A supervisor and its server may start within one tick of the clock.
        supervisors = {int(session[pid][_PARENT]) for pid in holders}
        serving = [pid for pid in holders if pid not in supervisors]
        return max(serving, key=lambda pid: int(session[pid][_START_TIME]))

    def workers(self) -> list[int]:
        """The children of the process that serves: the workers of its pool."""
        return [pid for pid in children(self.serving_pid(), self.session) if _is_worker(pid)]

    def figures(self) -> ProcessFigures:
        """The figures of the process that serves."""
        return figures(self.serving_pid())

    def children(self) -> list[int]:
        """The children of the process that was started."""
        return children(self.session, self.session)

    def oldest_child(self) -> int:
        """The child that was started first."""
        stats, parent = _session(self.session), str(self.session)
        own = [pid for pid, stat in stats.items() if stat[_PARENT] == parent]
        return min(own, key=lambda pid: int(stats[pid][_START_TIME]))

    def memory(self) -> Memory:
        pids = _session(self.session)
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        return Memory(_sum_mb(rollups, "Rss:"), _sum_mb(rollups, "Pss:"), len(rollups))

    def cpu_s(self) -> float:
        """Processor time used so far."""
        ticks = sum(int(stat[11]) + int(stat[12]) for stat in _session(self.session).values())
        return ticks / os.sysconf("SC_CLK_TCK")


def figures(pid: int) -> ProcessFigures:
    """The figures of a process. Raises OSError if it has ended."""
    proc = Path(f"/proc/{pid}")
    rss = _sum_mb([(proc / "smaps_rollup").read_text()], "Rss:")
    return ProcessFigures(
        rss, len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))
    )


def children(pid: int, session: int) -> list[int]:
    """The living children of a process, in a session."""
    return [each for each, stat in _session(session).items() if stat[_PARENT] == str(pid)]


@contextmanager
def running(
    peer: Peer,
    installation: Installation,
    core: int | None,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Iterator[Server]:
    """Run `peer` in a copy of its directory, pinned to `core`; end it when the block ends.
    `prepare` may change the copy before the start."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log_path = LOGS / f"{peer.name}.log"
    with (
        tempfile.TemporaryDirectory(prefix="snaxum-bench-") as scratch,
        open(log_path, "wb") as log,
    ):
        app = _copy(peer, installation, Path(scratch))
        prepare(app)
        port = _free_port()
        began = time.perf_counter()
        process = subprocess.Popen(
            pinned(core) + _command(peer, installation, app, port),
            cwd=app,
            env={**environment(), "HOME": str(app), **_own(peer, port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_for(port, process, log_path)
            yield Server(app, port, process.pid, began)
            if process.poll() is not None:
                raise ServerError(_last_words(process, log_path))
        finally:
            # An impatient second Ctrl-C waits until every process has ended.
            signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            _end(process, peer)
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def pinned(core: int | None) -> list[str]:
    """The words before a command that pin it to one core."""
    return [] if core is None else ["taskset", "--cpu-list", str(core)]


def environment() -> dict[str, str]:
    """The variables of every program: PYTHON*, SNAXUM_*, UVICORN_* and the like would change the
    figures."""
    return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}


def _copy(peer: Peer, installation: Installation, scratch: Path) -> Path:
    app = scratch / peer.app
    junk = shutil.ignore_patterns("target", "__pycache__", ".*")
    shutil.copytree(BENCH / "peers" / peer.app, app, ignore=junk)
    if peer.dot_venv is not None:
        (app / ".venv").symlink_to(installation.venvs[peer.dot_venv])
    return app


def _command(peer: Peer, installation: Installation, app: Path, port: int) -> list[str]:
    places = {
        "port": port,
        "app": app,
        **{f"{name}_bin": venv / "bin" for name, venv in installation.venvs.items()},
        **installation.programs,
    }
    try:
        # Split before filling in, so that a path may have spaces.
        return [word.format_map(places) for word in shlex.split(peer.command)]
    except KeyError as error:
        raise ServerError(f"`{error.args[0]}` is missing; setup printed the reason") from None


def _own(peer: Peer, port: int) -> dict[str, str]:
    return {name: value.format(port=port) for name, value in peer.env.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(_last_words(process, log))
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.001)
        else:
            return
    raise ServerError(f"port {port} is not open after {START_TIMEOUT_S:.0f} s; see {log}")


def _last_words(process: subprocess.Popen[bytes], log: Path) -> str:
    last_line = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
    return f"ended by itself with {process.returncode}: {last_line}; see {log}"


def _end(process: subprocess.Popen[bytes], peer: Peer) -> None:
    polite = (signal.SIGTERM,) if peer.heeds_sigterm else ()
    for stop in (*polite, signal.SIGKILL):
        for pid in _session(process.pid):
            try:
                os.kill(pid, stop)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            process.poll()
            if not _session(process.pid):
                process.wait()
                return
            time.sleep(0.01)
        print(f"{peer.name}: still there {STOP_TIMEOUT_S:.0f} s after {stop.name}", file=sys.stderr)


def _session(leader: int) -> dict[int, list[str]]:
    """The living processes of a session, each with the fields of its `stat` after the name."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name is in parentheses and may contain anything, spaces included.
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, session = stat[0], int(stat[3])
        if session == leader and state not in "ZX":
            found[int(entry.name)] = stat
    return found


def _is_worker(pid: int) -> bool:
    """Report whether it is a worker of the pool, not a helper of multiprocessing."""
    try:
        return b"spawn_main" in (Path(f"/proc/{pid}") / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _listeners(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port (proc_pid_net(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == _LISTEN}


def _open_sockets(pid: int) -> set[str]:
    links = set()
    try:
        for each in Path(f"/proc/{pid}/fd").iterdir():
            links.add(os.readlink(each))
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended, or closed a file
    return links


def _sum_mb(rollups: list[str], field: str) -> float:
    lines = [line for rollup in rollups for line in rollup.splitlines() if line.startswith(field)]
    return sum(int(line.split()[1]) for line in lines) / 1024
