"""Adjusts a running interpreter: its streams, and the settings of one that another program started.

Owns the standard streams, in the server and in its workers; and `sys.executable`, the project's
site-packages and the text encoding, if another program started the interpreter. Never changes the
encoding of file names or Python's main thread, which are fixed at the start.
"""

from __future__ import annotations

import locale
import os
import site
import sys


def adopt(venv: str | None, build_python: str) -> None:
    """Set the interpreter up as if it had been started for `venv`, or without one."""
    executable = find_executable(venv, build_python)
    if executable is not None:
        sys.executable = executable
        # Pool workers start with it; the embedding program would start copies of itself. If
        # `multiprocessing` is imported later, it reads `sys.executable`.
        if "multiprocessing" in sys.modules:
            sys.modules["multiprocessing"].set_executable(executable)
    if venv is not None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.prefix = sys.exec_prefix = venv
        site.addsitedir(os.path.join(venv, "lib", version, "site-packages"))
    if locale.getpreferredencoding(False).lower().replace("-", "") != "utf8":
        for name in ("C.UTF-8", "en_US.UTF-8", "UTF-8"):
            try:
                locale.setlocale(locale.LC_CTYPE, name)  # the default of `open()`
                break
            except locale.Error:
                continue


def set_up_streams() -> None:
    """Make `print` write line by line, in UTF-8, in any locale."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def find_executable(venv: str | None, build_python: str) -> str | None:
    """Find a real Python of this version; `sys.executable` may be a shim, or the program itself."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [os.path.join(venv, "bin", "python")] if venv else []
    candidates += [
        os.path.join(sys.base_exec_prefix, "bin", version),
        build_python if os.path.basename(os.path.realpath(build_python)) == version else "",
    ]
    return next((path for path in candidates if path and os.access(path, os.X_OK)), None)
