"""Sets right what can be set right in an interpreter that has been started.

Owns the standard streams, in the server and in its workers; and `sys.executable`, the project's
site-packages and the text encoding, where somebody else started the interpreter. What is fixed at
the start (the encoding of file names, Python's main thread) stays as it is.
"""

from __future__ import annotations

import locale
import os
import site
import sys


def adopt(venv: str | None, build_python: str) -> None:
    """Make the interpreter look as if it had been started for `venv`, or for no venv."""
    executable = find_executable(venv, build_python)
    if executable is not None:
        sys.executable = executable
        # Pool workers are started with it; the embedding program would start itself, without end.
        # If it is imported later, `multiprocessing` looks at the line above.
        if "multiprocessing" in sys.modules:
            sys.modules["multiprocessing"].set_executable(executable)
    if venv is not None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        sys.prefix = sys.exec_prefix = venv
        site.addsitedir(os.path.join(venv, "lib", version, "site-packages"))
    if locale.getpreferredencoding(False).lower().replace("-", "") != "utf8":
        for name in ("C.UTF-8", "en_US.UTF-8", "UTF-8"):
            try:
                locale.setlocale(locale.LC_CTYPE, name)  # what `open()` goes by
                break
            except locale.Error:
                continue


def set_up_streams() -> None:
    """Let `print` reach a log file line by line, in UTF-8, whatever the locale says."""
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
