"""Parameters as FastAPI, Starlette and Litestar declare them: errors, as nothing here reads them.

Owns their recognition. Without it a `Depends` would be a query parameter that any client can set.
Never imports one of them.
"""

from __future__ import annotations

from typing import Any

from .._validation.hints import is_class, members, unwrap
from .arguments import Argument
from .foreign_names import FOREIGN

_PACKAGES = ("fastapi", "starlette", "litestar", "flask", "werkzeug", "quart")
_MARKERS = ("fastapi.params", "litestar.params", "litestar.di")
_OURS = ("Query", "Path", "Header", "Cookie", "Form", "Body")
_CLASSES = ("Request", "WebSocket", "UploadFile", "FileStorage")
_WAYS_OUT = {
    "Security": FOREIGN["Depends"],
    "Depends": FOREIGN["Depends"],
    "File": FOREIGN["File"],
    "BackgroundTasks": FOREIGN["BackgroundTasks"],
    "Response": "make the response in the handler, and return it",
    "SecurityScopes": FOREIGN["Depends"],
    "FileStorage": "annotate it as the `UploadFile` of `snaxum`",
}


def check(argument: Argument) -> None:
    """Raise ValueError for a parameter with a marker, or of a class, of another framework."""
    chosen = [unwrap(each) for each in members(argument.annotation)]
    inside = [each for _, metadata in chosen for each in metadata]
    for each in (*argument.metadata, *inside, argument.default):
        kind = each if is_class(each) else type(each)
        if str(kind.__module__).startswith(_MARKERS):
            raise ValueError(
                f"the parameter `{argument.name}` has `{kind.__name__}` of "
                f"{_package(kind)}, which nothing reads here; {_way_out(kind.__name__)}"
            )
    if argument.is_inner:  # a decorator may fill it
        return
    for kind, _ in chosen:
        if not argument.is_required and _is_own_response(kind):
            continue  # it stays at its default
        if is_class(kind) and (name := _foreign_class(kind)):
            raise ValueError(
                f"the parameter `{argument.name}` is a `{name}` of {_package(kind)}; "
                f"{_way_out(name)}"
            )


def _foreign_class(kind: type) -> str | None:
    """Return the name of the class of another framework that `kind` is, or derives from."""
    for each in kind.__mro__:
        if _package(each) in _PACKAGES and (
            each.__name__ in _CLASSES or each.__name__ in _WAYS_OUT
        ):
            return each.__name__
    return "Response" if _is_own_response(kind) else None


def _is_own_response(kind: Any) -> bool:
    return is_class(kind) and (kind.__module__, kind.__name__) == ("snaxum.response", "Response")


def _package(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _way_out(name: str) -> str:
    if name in _WAYS_OUT:
        return _WAYS_OUT[name]
    if name in _OURS or name in _CLASSES:
        return f"use the `{name}` of `snaxum`"
    return "use a marker of `snaxum`, as `Query`"
