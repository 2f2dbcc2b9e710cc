"""The way out of an error, beside its message: a name that was meant, a package that is missing.

Owns the guesses. Never runs code of the user, and never changes the exception.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections.abc import Iterable
from itertools import islice
from types import FrameType, ModuleType, TracebackType

from .._core import near_names
from .._core.foreign_names import explain_object
from .._core.late_regex import late
from .._core.objects import (
    attribute,
    is_a,
    namespace,
    own_attributes,
    type_mro,
    type_name,
    type_namespace,
)
from .._reload.user_paths import display_root, is_user_file, roots
from . import failed_line

# Packages whose name is not that of their module.
PACKAGES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "socks": "pysocks",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
# The most names of one object that are compared.
MAX_NAMES = 2000
_CANNOT_IMPORT = late(
    r"cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'"
)


def hint_for(error: BaseException, trace: TracebackType | None, message: str) -> str | None:
    """Return how to fix an error, if that is known."""
    if is_a(error, ModuleNotFoundError):
        return _missing_module(attribute(error, "name"))
    if is_a(error, TabError, IndentationError):
        return "indent with spaces only, four a level"
    own = _of_framework(error, trace, message)
    if own is not None:
        return own
    meant = _meant(error, trace, message)
    return f"did you mean `{meant}`?" if meant else None


def _of_framework(error: BaseException, trace: TracebackType | None, message: str) -> str | None:
    if type(error) is TypeError:
        hint: str | None = _foreign_calls().explain(message, trace)
    elif type(error) is KeyError:
        hint = _foreign_calls().explain_key(error, trace)
    else:
        hint = explain_object(error)
    return hint


@functools.cache
def _foreign_calls() -> ModuleType:
    """Import `foreign_calls` with the first failure that it may explain."""
    from . import foreign_calls

    return foreign_calls


def _missing_module(name: object) -> str | None:
    if type(name) is not str or not name:
        return None
    module = name.partition(".")[0]
    meant = _nearest(module, [*_project_modules(), *sys.stdlib_module_names], 0.75)
    package = PACKAGES.get(module, module.replace("_", "-") if meant else module)
    if os.path.exists(os.path.join(display_root(), "uv.lock")):
        way = f"add the package with `uv add {package}`"
    else:
        way = f"add {package} to pyproject.toml and run `snaxum sync`"
    return f"did you mean `{meant}`? Otherwise {way}" if meant else f"{way}, or fix the name"


def _project_modules() -> list[str]:
    """List the modules and packages at the top of the project's import paths."""
    found = []
    for root in roots():
        try:
            with os.scandir(root) as entries:
                for entry in entries:
                    name, end = os.path.splitext(entry.name)
                    if end == ".py" or (not end and entry.is_dir()):
                        found.append(name)
        except OSError:
            continue
    return found[:MAX_NAMES]


def _meant(error: BaseException, trace: TracebackType | None, message: str) -> str | None:
    """Return the name that was probably meant."""
    frame, line = _user_frame(trace)
    name = attribute(error, "name")
    if is_a(error, NameError) and frame is not None and type(name) is str:
        code = frame.f_code
        known = [*frame.f_locals, *frame.f_globals, *frame.f_builtins]
        if name in (*code.co_varnames, *code.co_freevars):  # it has no value yet
            return None
        return _nearest(name, known)
    if is_a(error, AttributeError) and type(name) is str:
        return _nearest(name, _attribute_names(attribute(error, "obj")))
    if is_a(error, ImportError) and (found := _CANNOT_IMPORT.match(message)):
        module = sys.modules.get(found[2])
        return _nearest(found[1], namespace(module) if module is not None else ())
    args = attribute(error, "args")
    if is_a(error, KeyError) and frame is not None and type(args) is tuple and len(args) == 1:
        return _nearest_key(args[0], frame, line)
    return None


def _user_frame(trace: TracebackType | None) -> tuple[FrameType | None, int]:
    """Return the newest frame of the user's own code, and its line."""
    found: tuple[FrameType | None, int] = (None, 0)
    while trace is not None:
        if is_user_file(trace.tb_frame.f_code.co_filename):
            found = (trace.tb_frame, trace.tb_lineno)
        trace = trace.tb_next
    return found


def _attribute_names(owner: object) -> list[str]:
    """List the attributes of an object, of its class and of the bases."""
    if owner is None:
        return []
    names = [*own_attributes(owner), *namespace(owner)]
    for base in type_mro(type(owner)):
        names += type_namespace(base)
    return [name for name in names if type(name) is str and not name.startswith("_")]


def _nearest_key(key: object, frame: FrameType, line: int) -> str | None:
    """Return the key that is near `key` in a mapping or a frame that the failed line subscripts."""
    if type(key) is not str:
        return None
    for node in failed_line.nodes(frame, line):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        owner = frame.f_locals.get(node.value.id, frame.f_globals.get(node.value.id))
        if is_a(owner, dict):
            keys: object = dict.keys(owner)  # type: ignore[arg-type]
        elif type_name(type(owner)) == "DataFrame":
            keys = attribute(owner, "columns", ())
        else:
            continue
        try:
            first = islice(keys, MAX_NAMES)  # type: ignore[call-overload]
            texts = [each for each in first if type(each) is str]
        except Exception:
            continue
        if meant := _nearest(key, texts):
            return meant
    return None


def _nearest(name: str, names: Iterable[str], cutoff: float = 0.7) -> str | None:
    known = [each for each in dict.fromkeys(names) if each != name][:MAX_NAMES]
    found = near_names.near_names(name, known, 1, cutoff) if len(name) < 100 else []
    return found[0] if found else None
