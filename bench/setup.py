"""Makes everything that the run needs: wrk, the peers' venvs, the binaries.

Does nothing that is done already, and writes only below `target/`, but for wrk, which comes from
the system's packages. Never starts a server.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
TARGET = ROOT / "target"
HOME = TARGET / "bench"
AXUM = BENCH / "peers" / "axum_plain"


class SetupError(Exception):
    """Something is missing that only the user can provide."""


@dataclass(frozen=True)
class Installation:
    """Where everything lies."""

    wrk: Path
    venvs: dict[str, Path]
    axum: Path
    snaxum: Path


def install(snaxum: Path | None) -> Installation:
    """Provide all of it. A `snaxum` that is given is measured as it is, instead of being built."""
    if not sys.platform.startswith("linux"):
        raise SetupError("bench reads /proc and pins with taskset: it runs on Linux only")
    venvs = {"bare": HOME / "venv-bare", "peers": HOME / "venv"}
    wrk = _wrk()
    _venv(venvs["bare"], None)
    _venv(venvs["peers"], BENCH / "requirements.txt")
    axum = _cargo(AXUM, HOME / "axum", "axum-plain", "--locked")
    if snaxum is not None and not os.access(snaxum, os.X_OK):
        raise SetupError(f"no program at `{snaxum}`; leave `--snaxum` out to build one")
    snaxum = snaxum or _cargo(ROOT, TARGET, "snaxum")
    return Installation(wrk=wrk, venvs=venvs, axum=axum, snaxum=snaxum.absolute())


def _wrk() -> Path:
    if found := shutil.which("wrk"):
        return Path(found)
    missing = "no `wrk` on the PATH"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{missing}, and no apt-get; build it from https://github.com/wg/wrk")
    as_root = _root_prefix()
    if as_root is None:
        raise SetupError(f"{missing}, and no right to install it; run `sudo apt-get install wrk`")
    install = [*as_root, "apt-get", "install", "-y", "--no-install-recommends", "wrk"]
    # A fresh image has no package lists: the second try comes after an update.
    for command in (install, [*as_root, "apt-get", "update"], install):
        _run(command, "wrk", check=False)
        if found := shutil.which("wrk"):
            return Path(found)
    raise SetupError(f"{missing}, and `apt-get install wrk` did not bring it")


def _root_prefix() -> list[str] | None:
    """The words that make a command root's; None if it would take a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") is None:
        return None
    return sudo if subprocess.run([*sudo, "true"], capture_output=True).returncode == 0 else None


def _venv(place: Path, requirements: Path | None) -> None:
    wanted = sys.version + (requirements.read_text() if requirements else "")
    fingerprint = hashlib.sha256(wanted.encode()).hexdigest()
    # Written last: a venv that was cut short has none, and is made again.
    stamp = place / "bench-fingerprint"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    shutil.rmtree(place, ignore_errors=True)
    python = place / "bin" / "python"
    if requirements is None:
        _run([sys.executable, "-m", "venv", "--without-pip", str(place)], str(place))
    else:
        _run([sys.executable, "-m", "venv", str(place)], str(place))
        _run([str(python), "-m", "pip", "install", "-q", "-r", str(requirements)], "the peers")
    stamp.write_text(fingerprint)


def _cargo(package: Path, target: Path, binary: str, *options: str) -> Path:
    command = ["cargo", "build", "--release", "--bin", binary, *options]
    command += ["--manifest-path", str(package / "Cargo.toml"), "--target-dir", str(target)]
    _run(command, binary)
    return target / "release" / binary


def _run(command: list[str], what: str, check: bool = True) -> None:
    print(f"setup: {what}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except FileNotFoundError:
        raise SetupError(f"no `{command[0]}` on the PATH, needed for {what}") from None
    if check and done.returncode:
        raise SetupError(f"{what}: `{' '.join(command)}` ended with {done.returncode}")
