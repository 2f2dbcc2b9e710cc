"""Runs the command line in this interpreter, by the extension module.

Owns the state that the interpreter begins with, which is that of the binary, and the command that
starts this program again. Never parses an argument, and imports little: a command may be short.
"""

from __future__ import annotations

# `signal` makes enumerations of the names in it, which take longer than the rest.
import _signal  # type: ignore[import-not-found]
import os
import sys

# Starts the command before Python 3.11, which always imports from the working directory first: the
# first entry of `sys.path`, which `_prepare` removes.
_WITHOUT_DIRECTORY = (
    "import sys; sys.path[0] = sys.prefix; from snaxum.__main__ import main; main()"
)
# Passes the socket and the tokens to a process that replaces another one.
_HANDOVER = "SNAXUM_TAKE_OVER"
_flags = sys.flags


class _SafeFlags(tuple):  # type: ignore[type-arg]
    """The flags of this interpreter, and `-P`: libraries start processes with the same options."""

    safe_path = True

    def __getattr__(self, name: str) -> object:
        return getattr(_flags, name)


def run() -> None:
    """Run the command line; the process ends with it."""
    try:
        host = describe_host()
        # Python 3.12 itself fails to load a module from such a path.
        _require_utf8(__file__)
    except ValueError as error:
        sys.exit(f"error: {error}")
    try:
        from . import _snaxum
    except ImportError as error:
        sys.exit(_explain(error))
    files = [sys.executable, _snaxum.__file__]
    from . import _package_finder

    _package_finder.install(os.path.dirname(__file__))
    program = [sys.executable, *_options(sys.orig_argv, len(sys.argv) - 1), *_starter()]
    arguments = sys.argv[1:]
    _prepare()
    # User code must not find it. Removed here, as Rust may not do it beside threads of Python.
    handover = os.environ.pop(_HANDOVER, None)
    _snaxum.run(host, program, files, arguments, handover)


def describe_host() -> tuple[str, str, str]:
    """Return the file, the version and the prefix of this interpreter.

    Raises ValueError if the path of the file is not UTF-8.
    """
    _require_utf8(sys.executable)
    return sys.executable, sys.version.split()[0], sys.prefix


def _require_utf8(file: str) -> None:
    path = os.fsencode(file)
    try:
        path.decode()
    except UnicodeDecodeError:
        raise ValueError(
            f"the path `{path.decode(errors='replace')}` is not UTF-8; rename the directory or file"
        ) from None


def _options(line: list[str], arguments: int) -> list[str]:
    """Return the options of the interpreter that it was started with, such as `-X dev`."""
    *options, _ = line[1 : len(line) - arguments]
    # The last was a file, or the operand of `-m` or `-c`, perhaps written as `-Im`.
    last = options[-1] if options else ""
    if last[:1] == "-" and last[-1:] in ("m", "c") and last[:2] not in ("-W", "-X"):
        options[-1:] = [last[:-1]] if len(last) > 2 else []
    return [option for option in options if option != "-P"]


def _starter() -> list[str]:
    # A `snaxum.py` of the user must not be found first.
    return ["-P", "-m", "snaxum"] if sys.version_info >= (3, 11) else ["-c", _WITHOUT_DIRECTORY]


def _prepare() -> None:
    """Make the interpreter one whose main module, arguments and signals are not the user's."""
    if not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated):
        # The directory of the command, or the working directory; a binary has neither.
        del sys.path[:1]
        if sys.version_info >= (3, 11):
            sys.flags = _SafeFlags(sys.flags)  # type: ignore[assignment]
    sys.argv[:] = [""]
    # Processes of `multiprocessing` would run the main module.
    main = sys.modules["__main__"]
    main.__spec__ = None
    vars(main).pop("__file__", None)
    # Rust receives SIGINT; Python's handler would be called before its own.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def _explain(error: ImportError) -> str:
    """Return the message for an extension module that does not load."""
    directory = os.path.dirname(__file__)
    if sys.version_info < (3, 10) or sys.implementation.name != "cpython":
        return (
            f"error: snaxum needs CPython 3.10 or newer, and this is {sys.implementation.name} "
            f"{sys.version.split()[0]}; install it for another interpreter"
        )
    return (
        f"error: the extension module of snaxum does not load: {error}; the package in "
        f"`{directory}` is incomplete or of another platform, install it again with "
        f"`{sys.executable} -m pip install --force-reinstall snaxum`"
    )
