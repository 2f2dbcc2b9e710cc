"""Describes the machine, the versions, and the cores of server and load.

Only reads. Never changes a setting of the machine.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from setup import AXUM, ROOT, Installation


@dataclass(frozen=True)
class Cores:
    """The core of the server and that of the load; None is wherever the system puts them."""

    server: int | None = None
    load: int | None = None

    def __str__(self) -> str:
        if self.server is None:
            return "NOT pinned (needs two cores and `taskset`): server and load share what there is"
        return f"server pinned to core {self.server}, load to core {self.load}"


def choose_cores() -> Cores:
    """Take the first two cores that this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2 or shutil.which("taskset") is None:
        return Cores()
    return Cores(*allowed[:2])


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Pin this process to one core while the block runs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before if core is None else {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def facts(installation: Installation, cores: Cores) -> dict[str, object]:
    """Everything that a reader needs to judge the figures, or to make them again."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    about: dict[str, object] = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "pinning": str(cores),
        "loadavg_before": [round(load, 2) for load in os.getloadavg()],
        "python": sys.version.split()[0],
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "rustc": _output("rustc", "--version"),
        "snaxum": _output(str(installation.snaxum), "--version"),
        "packages": _packages(installation),
    }
    if "axum" in installation.programs:
        about["axum"] = _locked_version(AXUM / "Cargo.lock", "axum")
    if wrk := installation.programs.get("wrk"):
        about["wrk"] = _output(str(wrk), "-v").partition("[")[0].strip()
    return about


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def _output(*command: str) -> str:
    """The first line that a command prints; wrk, for one, prints its version and exits with 1."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]


def _locked_version(lock: Path, package: str) -> str:
    found = re.search(rf'^name = "{package}"\nversion = "(.+)"$', lock.read_text(), re.M)
    return found[1] if found else "unknown"


def _packages(installation: Installation) -> dict[str, str]:
    """The installed packages, by the names of the directories: asking pip takes a second."""
    # Last is what counts: the venv of most rows.
    places = ("models", "hmr", "robyn", "peers")
    venvs = [installation.venvs[name] for name in places if name in installation.venvs]
    names = [
        name
        for venv in venvs
        for name in sorted(path.name for path in venv.glob("lib/*/site-packages/*.dist-info"))
    ]
    pairs = (name.removesuffix(".dist-info").partition("-") for name in names)
    return {name: version for name, _, version in pairs if name not in ("pip", "setuptools")}
