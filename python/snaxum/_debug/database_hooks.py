"""Records the statements of sqlite3, SQLAlchemy, duckdb, psycopg and asyncpg.

Owns the hook of each. A hooked call has the arguments, result and exceptions of the library.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from . import call_rows

# The methods of a relation of duckdb that run it.
DUCKDB_RUNS = (
    "arrow",
    "df",
    "execute",
    "fetch_arrow_table",
    "fetchall",
    "fetchdf",
    "fetchmany",
    "fetchnumpy",
    "fetchone",
    "pl",
    "to_arrow_table",
    "to_df",
)

_WRAPPED = "__snaxum_call__"


def hook_sqlite3(module: Any) -> None:
    """Let `connect` make connections whose cursors record, unless the caller has a factory."""
    original = module.connect
    if hasattr(original, _WRAPPED):
        return

    class RecordedCursor(module.Cursor):  # type: ignore[misc]
        """A cursor that records."""

    for name in ("execute", "executemany", "executescript"):
        setattr(RecordedCursor, name, _recorded("sqlite3", getattr(module.Cursor, name)))

    class RecordedConnection(module.Connection):  # type: ignore[misc]
        """A connection whose cursors record."""

        def cursor(self, factory: Any = RecordedCursor) -> Any:
            return super().cursor(factory)

        # The library's own do not call `cursor` in each version.
        def execute(self, *args: Any) -> Any:
            return self.cursor().execute(*args)

        def executemany(self, *args: Any) -> Any:
            return self.cursor().executemany(*args)

        def executescript(self, *args: Any) -> Any:
            return self.cursor().executescript(*args)

    @functools.wraps(original)
    def connect(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 6:
            kwargs.setdefault("factory", RecordedConnection)
        return original(*args, **kwargs)

    setattr(connect, _WRAPPED, True)
    module.connect = connect


def hook_sqlalchemy(module: Any) -> None:
    """Subscribe to the events of all engines; the calls of their drivers are not recorded twice."""
    from importlib import import_module

    engine, event = import_module("sqlalchemy.engine").Engine, module.event

    def before(connection: Any, _: Any, statement: Any, values: Any, *__: Any) -> None:
        call = call_rows.begin("sql", "sqlalchemy", statement, values)
        connection.info.setdefault(_WRAPPED, []).append(call)

    def after(connection: Any, *_: Any) -> None:
        _end(connection, None)

    def failed(context: Any) -> None:
        connection = context.connection
        # `info` of a connection that is lost would connect again.
        if connection is not None and not (connection.closed or connection.invalidated):
            _end(connection, context.original_exception)

    def _end(connection: Any, error: BaseException | None) -> None:
        calls = connection.info.get(_WRAPPED)
        call = calls.pop() if calls else None
        if call is not None:
            call.end(error=error)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)
    call_rows.covers("sqlalchemy")


def hook_duckdb(module: Any) -> None:
    """Record the statements of connections, and the runs of relations, which are lazy."""
    for owner in (module, module.DuckDBPyConnection):
        has_self = owner is not module
        for name in ("execute", "executemany"):
            wrapper = functools.partial(_recorded, "duckdb", has_self=has_self, sees_names=True)
            _wrap(owner, name, wrapper)
        for name in ("query", "sql"):  # without a result, it has run
            _wrap(owner, name, functools.partial(wrapper, is_lazy=True))
    relation = getattr(module, "DuckDBPyRelation", None)
    for name in DUCKDB_RUNS if relation is not None else ():
        _wrap(relation, name, _recorded_relation)


def hook_psycopg(module: Any) -> None:
    """Record the statements of cursors, with and without asyncio."""
    for name in ("Cursor", "ServerCursor"):
        for method in ("execute", "executemany"):
            _wrap(getattr(module, name, None), method, functools.partial(_recorded, "psycopg"))
            owner = getattr(module, f"Async{name}", None)
            _wrap(owner, method, functools.partial(_recorded_async, "psycopg"))


def hook_asyncpg(module: Any) -> None:
    """Record the statements of connections, including the connections of a pool."""
    connection = module.Connection
    for name in ("execute", "fetch", "fetchmany", "fetchrow", "fetchval"):
        _wrap(connection, name, functools.partial(_recorded_async, "asyncpg", has_spread=True))
    _wrap(connection, "executemany", functools.partial(_recorded_async, "asyncpg"))


def _wrap(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    """Replace a function of a class or a module, if it has it itself."""
    original = vars(owner).get(name) if owner is not None else None
    if callable(original) and not hasattr(original, _WRAPPED):
        wrapped = wrapper(original)
        setattr(wrapped, _WRAPPED, True)
        setattr(owner, name, wrapped)


def _recorded(
    library: str,
    original: Callable[..., Any],
    *,
    has_self: bool = True,
    is_lazy: bool = False,
    sees_names: bool = False,
) -> Any:
    """Record a method, or a function; if it `is_lazy`, a call with a result has not run yet.

    If it `sees_names`, it reads the variables of its caller.
    """
    first = 1 if has_self else 0

    @functools.wraps(original)
    def call_and_record(*args: Any, **kwargs: Any) -> Any:
        call = call_rows.begin("sql", library, *_statement(args[first:], kwargs, args[:first]))
        try:
            if sees_names:
                result = _call_from(sys._getframe(1), original, args, kwargs)
            else:
                result = original(*args, **kwargs)
        except BaseException as error:
            _finish(call, error)
            raise
        if not is_lazy or result is None:
            _finish(call)
        return result

    return call_and_record


def _call_from(
    caller: FrameType, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> Any:
    """Call a function in a frame with the names of `caller`.

    In `select * from df`, duckdb finds a variable `df` of the innermost frame of Python only.
    """
    names = {**caller.f_locals, _WRAPPED: functools.partial(function, *args, **kwargs)}
    return eval(_CALL, caller.f_globals, names)


_CALL = compile(f"{_WRAPPED}()", _call_from.__code__.co_filename, "eval")


def _recorded_async(library: str, original: Callable[..., Any], *, has_spread: bool = False) -> Any:
    """Record a coroutine method; with `has_spread`, each further argument is a value."""

    @functools.wraps(original)
    async def await_and_record(*args: Any, **kwargs: Any) -> Any:
        given = (args[1], args[2:]) if has_spread and len(args) > 1 else args[1:]
        call = call_rows.begin("sql", library, *_statement(given, kwargs, args[:1]))
        try:
            result = await original(*args, **kwargs)
        except BaseException as error:
            _finish(call, error)
            raise
        _finish(call)
        return result

    return await_and_record


def _recorded_relation(original: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def run_and_record(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = call_rows.begin("sql", "duckdb", _relation_text(self))
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            _finish(call, error)
            raise
        _finish(call)
        return result

    return run_and_record


def _relation_text(relation: Any) -> str:
    try:
        return str(relation.sql_query())
    except Exception:  # not every relation has a statement
        return "a relation"


def _statement(args: Any, kwargs: Any, owner: Any) -> tuple[object, object]:
    """Return the text and the values of a statement, from the arguments of a method."""
    text = args[0] if args else kwargs.get("query", kwargs.get("sql", ""))
    names = ("params", "parameters", "params_seq")
    values = args[1] if len(args) > 1 else next((kwargs[n] for n in names if n in kwargs), None)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        elif hasattr(text, "as_string"):
            text = text.as_string(owner[0] if owner else None)
    except Exception:  # the library raises its own
        text = "a statement"
    return text, values


def _finish(call: call_rows.Called | None, error: BaseException | None = None) -> None:
    if call is not None:
        call.end(error=error)
