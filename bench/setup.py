"""Makes everything that the runs need: wrk, valgrind, the peers' venvs, the binaries.

Does nothing that is done already, and writes only below `target/`, but for the first two, which
come from the system's packages. Never starts a server.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
TARGET = ROOT / "target"
HOME = TARGET / "bench"
AXUM = BENCH / "peers" / "axum_plain"
MOUNTED = BENCH / "peers" / "axum_mounted"


class SetupError(Exception):
    """Something is missing that only the user can provide."""


@dataclass(frozen=True)
class Installation:
    """The paths of everything that is set up."""

    venvs: dict[str, Path]
    programs: dict[str, Path]

    @property
    def snaxum(self) -> Path:
        return self.programs["snaxum"]


def install_for_run(
    snaxum: Path | None, wheel: Path | None, sections: Collection[str]
) -> Installation:
    """Provide what these sections of `run.py` use. A `snaxum` or `wheel` that is given is measured
    as it is, not built; the program that mounts it is always built from here."""
    _check_system()
    wrk = _system_program("wrk", "https://github.com/wg/wrk")
    venvs, programs = {"bare": _bare()}, {"wrk": wrk, "snaxum": _snaxum(snaxum)}
    if set(sections) - {"models"}:
        venvs |= {"peers": _peers(), "robyn": _robyn()}
        programs["axum"] = _cargo(AXUM, HOME / "axum", "axum-plain", "--locked")
    if "wheel" in sections:
        venvs["wheel"] = _wheel(wheel)
    if "models" in sections:
        venvs["models"] = _models()
    if "rust" in sections:
        # Not --locked: its lock file follows the project's manifest.
        programs["mounted"] = _cargo(MOUNTED, HOME / "mounted", "axum-mounted")
    return Installation(venvs, programs)


def install_for_reload(snaxum: Path | None) -> Installation:
    """Provide what `reload.py` uses; without a Python that is new enough, all but `hmr`."""
    _check_system()
    venvs = {"bare": _bare(), "peers": _peers()}
    if python := _newer_python():
        venvs["hmr"] = HOME / "venv-hmr"
        _venv(venvs["hmr"], BENCH / "requirements-hmr.txt", python)
    return Installation(venvs, {"snaxum": _snaxum(snaxum)})


def install_for_soak(snaxum: Path | None) -> Installation:
    """Provide what `soak.py` uses: no peers."""
    _check_system()
    return Installation({"bare": _bare()}, {"snaxum": _snaxum(snaxum)})


def install_for_console(snaxum: Path | None) -> Installation:
    """Provide what `console_page.py` uses: no peers, but Playwright and Chromium."""
    _check_system()
    wrk = _system_program("wrk", "https://github.com/wg/wrk")
    if shutil.which("npm") is None:
        raise SetupError("no `npm` on the PATH: the browser is driven by Playwright; install Node")
    tests = ROOT / "tests" / "browser"
    _run(["sh", str(tests / "install-chromium")], "Chromium")
    if not (tests / "node_modules").is_dir():
        install = ["npm", "ci", "--no-audit", "--no-fund", "--prefix", str(tests)]
        _run(["env", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", *install], "Playwright")
    return Installation({"bare": _bare()}, {"wrk": wrk, "snaxum": _snaxum(snaxum)})


def install_for_instructions(snaxum: Path | None, wheel: Path | None) -> Installation:
    """Provide what `instructions.py` uses: no peers, but the venv for orjson. A `wheel` replaces
    the binary."""
    _check_system()
    valgrind = _system_program("valgrind", "https://valgrind.org")
    venvs, programs = {"peers": _peers()}, {"valgrind": valgrind}
    if wheel is None:
        programs["snaxum"] = _snaxum(snaxum)
    else:
        venvs["wheel"] = _wheel(wheel)
    return Installation(venvs, programs)


@contextmanager
def frozen(installation: Installation) -> Iterator[Installation]:
    """Replace `snaxum` by a copy: a build elsewhere must not change the measurement."""
    if "snaxum" not in installation.programs:
        yield installation
        return
    with tempfile.TemporaryDirectory(prefix="snaxum-bench-") as scratch:
        snaxum = Path(shutil.copy2(installation.snaxum, scratch))
        yield replace(installation, programs=installation.programs | {"snaxum": snaxum})


def _check_system() -> None:
    if not sys.platform.startswith("linux"):
        raise SetupError("bench reads /proc and pins with taskset: it runs on Linux only")


def _snaxum(given: Path | None) -> Path:
    if given is not None and not os.access(given, os.X_OK):
        raise SetupError(f"no program at `{given}`; leave `--snaxum` out to build one")
    return (given or _cargo(ROOT, TARGET, "snaxum")).absolute()


def _bare() -> Path:
    place = HOME / "venv-bare"
    _venv(place, None)
    return place


def _peers() -> Path:
    place = HOME / "venv"
    _venv(place, BENCH / "requirements.txt")
    return place


def _models() -> Path:
    place = HOME / "venv-models"
    _venv(place, BENCH / "requirements-models.txt")
    return place


def _robyn() -> Path:
    place = HOME / "venv-robyn"
    _venv(place, BENCH / "requirements-robyn.txt")
    return place


def _wheel(given: Path | None) -> Path:
    """A venv with the wheel in it, which is made again when the wheel is another one."""
    if given is None:
        _run(["env", f"PYTHON={sys.executable}", str(ROOT / ".ci" / "wheel")], "the wheel")
        built = (TARGET / "wheels").glob("snaxum-*.whl")
        given = max(built, key=lambda file: file.stat().st_mtime)
    elif not given.is_file():
        raise SetupError(f"no wheel at `{given}`; leave `--wheel` out to build one")
    place = HOME / "venv-wheel"
    stamp = place / "bench-fingerprint"
    fingerprint = hashlib.sha256(sys.executable.encode() + given.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != fingerprint:
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(place)], str(place))
        python = str(place / "bin" / "python")
        _run([python, "-m", "pip", "install", "-q", "--no-index", str(given)], "the wheel")
        stamp.write_text(fingerprint)
    return place


def _newer_python() -> str | None:
    """A Python of at least 3.12, which uvicorn-hmr asks for."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    names = ("python3.12", "python3.13")
    kept = [str(path) for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    is_newer = "import sys; sys.exit(sys.version_info < (3, 12))"
    # Interpreters of pyenv by their own path: its shim on the PATH may refuse to run.
    for candidate in [sys.executable, *filter(None, map(shutil.which, names)), *kept]:
        if subprocess.run([candidate, "-c", is_newer], capture_output=True).returncode == 0:
            return candidate
    print("setup: no Python 3.12 or newer, so uvicorn-hmr is left out", file=sys.stderr)
    return None


def _system_program(name: str, source: str) -> Path:
    """A program that has no package but the system's, which has its name; installed if need be."""
    if found := shutil.which(name):
        return Path(found)
    missing = f"no `{name}` on the PATH"
    if shutil.which("apt-get") is None:
        raise SetupError(f"{missing}, and no apt-get; get it from {source}")
    as_root = _root_prefix()
    if as_root is None:
        raise SetupError(
            f"{missing}, and no right to install it; run `sudo apt-get install {name}`"
        )
    install = [*as_root, "apt-get", "install", "-y", "--no-install-recommends", name]
    # A fresh image has no package lists: the second try comes after an update.
    for command in (install, [*as_root, "apt-get", "update"], install):
        _run(command, name, check=False)
        if found := shutil.which(name):
            return Path(found)
    raise SetupError(f"{missing}, and `apt-get install {name}` did not bring it")


def missing_library(name: str) -> bool:
    """Whether the system lacks a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return True
    return False


def _root_prefix() -> list[str] | None:
    """The words that make a command root's; None if it would take a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if shutil.which("sudo") is None:
        return None
    return sudo if subprocess.run([*sudo, "true"], capture_output=True).returncode == 0 else None


def _venv(place: Path, requirements: Path | None, interpreter: str = sys.executable) -> None:
    wanted = sys.version + interpreter + (requirements.read_text() if requirements else "")
    fingerprint = hashlib.sha256(wanted.encode()).hexdigest()
    # Written last: a venv that was cut short has none, and is made again.
    stamp = place / "bench-fingerprint"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    shutil.rmtree(place, ignore_errors=True)
    python = place / "bin" / "python"
    if requirements is None:
        _run([interpreter, "-m", "venv", "--without-pip", str(place)], str(place))
    else:
        _run([interpreter, "-m", "venv", str(place)], str(place))
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
