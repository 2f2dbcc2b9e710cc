"""Calls of requests to databases and HTTP servers: the hooks, on small libraries like real ones.

`tests/it/library_calls.rs` has sqlite3 in a server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snaxum._debug import call_rows, database_hooks, http_hooks, library_hooks, profile_tree
from snaxum._reload import user_paths
from snaxum._runtime import leases

Row = dict[str, Any]


class RecordingHost:
    def __init__(self) -> None:
        self.rows: list[tuple[int, Row]] = []

    def called(self, request: int, row: bytes) -> None:
        self.rows.append((request, json.loads(row)))


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, Row]]]:
    """Work for request 7, with this file as one of the user's; collect the reported calls."""
    host = RecordingHost()
    monkeypatch.setattr(call_rows, "_host", host)
    monkeypatch.setattr(call_rows, "_covering", set())
    call_rows._requests.clear()
    before = user_paths.roots(), user_paths.display_root()
    here = str(Path(__file__).parent)
    user_paths.configure([here], here)
    profile_tree._kinds.clear()
    token = leases.request_of_task.set(7)
    yield host.rows
    leases.request_of_task.reset(token)
    user_paths.configure(*before)
    profile_tree._kinds.clear()


def begin(*args: Any) -> call_rows.Called | None:
    """Begin a call as a hook does, for its caller."""
    return call_rows.begin("sql", "driver", *args)


def texts(rows: list[tuple[int, Row]]) -> list[str]:
    return [row["text"] for _, row in rows]


class Sent:
    def __init__(self, method: str, url: str) -> None:
        self.method, self.url = method, url


class Answer:
    status_code = 204


def test_http_clients_report_method_url_and_status(rows: list[tuple[int, Row]]) -> None:
    class Client:
        def send(self, request: Sent) -> Answer:
            if "broken" in request.url:
                raise OSError("no route to host")
            return Answer()

    class AsyncClient:
        async def send(self, request: Sent) -> Answer:
            return Answer()

    module = types.SimpleNamespace(Client=Client, AsyncClient=AsyncClient)
    http_hooks.hook_httpx(module)
    http_hooks.hook_httpx(module)  # a second hook does nothing
    url = "http://ada:pw@127.0.0.1/orders?token=abc&page=2"
    assert Client().send(Sent("GET", url)).status_code == 204
    with pytest.raises(OSError, match="no route"):
        Client().send(Sent("POST", "http://broken/"))
    asyncio.run(AsyncClient().send(Sent("PUT", "http://127.0.0.1/")))

    assert texts(rows) == [
        "GET http://ada:••••@127.0.0.1/orders?token=••••&page=2",
        "POST http://broken/",
        "PUT http://127.0.0.1/",
    ]
    assert [row["status"] for _, row in rows] == [204, None, 204]
    assert rows[1][1]["error"] == "OSError: no route to host"
    request, row = rows[0]
    assert (request, row["kind"], row["file"]) == (7, "http", "test_library_calls.py")
    assert row["function"].endswith("test_http_clients_report_method_url_and_status")


def test_drivers_report_statements_and_values(rows: list[tuple[int, Row]]) -> None:
    class Cursor:
        def execute(self, query: object, params: object = None) -> str:
            return "result"

        def executemany(self, query: object, params_seq: object) -> None: ...

    class AsyncCursor:
        async def execute(self, query: object, params: object = None) -> None: ...

    class Composed:
        def as_string(self, context: object) -> str:
            return "select composed"

    module = types.SimpleNamespace(Cursor=Cursor, AsyncCursor=AsyncCursor)
    database_hooks.hook_psycopg(module)
    assert Cursor().execute("select %s", (1,)) == "result"
    Cursor().execute(b"select 2")
    Cursor().execute(Composed())
    Cursor().executemany("insert", [{"a": 1}, {"a": 2}])
    asyncio.run(AsyncCursor().execute("select async"))
    assert texts(rows) == ["select %s", "select 2", "select composed", "insert", "select async"]
    assert [row["values"] for _, row in rows] == ["1", None, None, "2 rows, the first: a=1", None]

    class Connection:
        async def fetch(self, query: str, *args: object) -> None: ...

    database_hooks.hook_asyncpg(types.SimpleNamespace(Connection=Connection))
    asyncio.run(Connection().fetch("select $1, $2", 1, "a"))
    assert rows[-1][1]["values"] == "1, 'a'"


def test_duckdb_finds_the_variables_of_the_caller(rows: list[tuple[int, Row]]) -> None:
    class Connection: ...

    # A function of C that returns the innermost frame of Python.
    module = types.SimpleNamespace(sql=sys._getframe, DuckDBPyConnection=Connection)
    database_hooks.hook_duckdb(module)
    df = "a table"
    frame = module.sql(0)
    assert frame.f_locals["df"] is df
    assert frame.f_globals is globals()


def test_calls_from_a_library_that_reports_its_own_are_not_reported_twice(
    rows: list[tuple[int, Row]],
) -> None:
    call_rows.covers("orm")
    orm: dict[str, Any] = {"__name__": "orm.engine", "begin": call_rows.begin}
    code = "def hook(name): return begin('sql', name, '')\ndef run(name): return hook(name)"
    exec(compile(code, "/site-packages/orm/engine.py", "exec"), orm)
    assert orm["run"]("driver") is None
    assert orm["run"]("orm") is not None


def test_without_a_request_nothing_is_reported(rows: list[tuple[int, Row]]) -> None:
    leases.request_of_task.set(None)
    assert begin("select 1") is None


def test_repeated_calls_of_one_line_are_counted(rows: list[tuple[int, Row]]) -> None:
    for number in range(6):
        call = begin(f"select * from a where id in (1, {number})")
        assert call is not None
        call.end()
    other = begin("select * from a where id in (1, 2)")
    assert other is not None
    other.end()
    assert [row["nth"] for _, row in rows] == [1, 2, 3, 4, 5, 6, 1]
    assert [row["number"] for _, row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert {row["group"] for _, row in rows} == {0, 1}


def test_hostile_values_run_no_code(rows: list[tuple[int, Row]]) -> None:
    class Hostile(str):
        def __repr__(self) -> str:
            raise SystemExit

    call = begin("select ?", (Hostile("a"), object(), b"abc", "x" * 500))
    assert call is not None
    call.end()
    values = rows[0][1]["values"]
    assert values.startswith("<Hostile>, <object>, <3 bytes>, 'xxx")
    assert len(values) < 200


def test_a_hook_runs_after_the_import_and_a_strange_version_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hooked_library.py").write_text("VALUE = 1\n")
    (tmp_path / "strange_library.py").write_text("VALUE = 2\n")
    hooked: list[Any] = []
    hooks = {"hooked_library": hooked.append, "strange_library": http_hooks.hook_httpx}
    monkeypatch.setattr(library_hooks, "HOOKS", hooks)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [library_hooks._HookFinder(), *sys.meta_path])
    import importlib

    module = importlib.import_module("hooked_library")
    assert hooked == [module]
    assert module.VALUE == 1
    assert importlib.import_module("strange_library").VALUE == 2
    assert "the calls of strange_library are not shown" in caplog.text
    for name in hooks:
        monkeypatch.delitem(sys.modules, name)


def test_no_library_is_imported_by_the_hooks() -> None:
    assert {name.partition(".")[0] for name in library_hooks.HOOKS} >= {"sqlite3", "sqlalchemy"}
    assert not any(name in sys.modules for name in ("sqlalchemy", "asyncpg", "psycopg"))
