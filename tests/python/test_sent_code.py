"""The versions of the user's code in a Dask worker: each task runs on its own."""

from __future__ import annotations

import builtins
import copyreg
import importlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from snaxum import _registry
from snaxum._pool import dask_connection, sent_code
from snaxum._pool.dask_messages import EXPRESSION, PROGRAM, Messages, SentVersion, unpack_version
from snaxum._reload import loader, user_paths
from snaxum._reload.source_cache import SourceCache
from snaxum._runtime import generations, leases, registration
from snaxum._runtime.generations import Generation
from snaxum.routing import RouteTable

ROOT = "/nowhere/shop/python"
runs: list[str] = []


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make this process a Dask worker for the time of a test."""
    before = builtins.__import__, importlib.import_module, loader._finder
    places = user_paths.roots(), user_paths.display_root()
    monkeypatch.setattr(leases, "_on_drained", lambda: None)
    monkeypatch.setattr(_registry, "sink", None)
    monkeypatch.setattr(loader, "top_names", set())
    staging = generations.staging()
    registration.install()
    sent_code.install()
    runs.clear()
    yield
    sent_code.remove()
    generations.stage(staging)
    loader.restore(before[2])
    if places[0]:
        user_paths.configure(*places)
    assert (builtins.__import__, importlib.import_module) == before[:2]
    assert "sent_app" not in sys.modules


def sent(number: int, *, root: str = ROOT, **texts: str) -> SentVersion:
    """Make a version of a project that is not on this disk."""
    names = {name.replace("__", "/"): text for name, text in texts.items()}
    files = {f"{root}/{name}.py": text.encode() for name, text in names.items()}
    key = f"{root} {number}"
    return SentVersion(key, number, (root,), root.rpartition("/")[0], (root,), files, {}, {})


def run(version: sent_code.Version, module: str, function: str = "run") -> Any:
    """Call a function as a task of `version` does."""

    def task() -> Any:
        sent_code.running.set(version)
        leases.pin_task(version.generation, 0)
        with sent_code.loading(version):
            found: Callable[[], Any] = getattr(importlib.import_module(module), function)
        return found()

    return copy_context().run(task)


APP = """
from test_sent_code import runs
from snaxum import route
import sent_helper
runs.append("app {n}")
@route("/x")
def handler(request): ...
def run():
    import sent_late
    import sent_app
    return [{n}, sent_helper.VALUE, sent_late.VALUE, sent_app.run is run]
"""
HELPER = "from test_sent_code import runs\nruns.append('helper')\nVALUE = 'helper'"


def shop(number: int, **more: str) -> SentVersion:
    late = f"VALUE = 'late {number}'"
    app = APP.replace("{n}", str(number))
    return sent(number, sent_app=app, sent_helper=HELPER, sent_late=late, **more)


def test_each_task_runs_on_its_version_and_only_what_changed_runs_again() -> None:
    first, second = sent_code.add(shop(1)), sent_code.add(shop(2))

    assert run(first, "sent_app") == [1, "helper", "late 1", True]
    assert run(second, "sent_app") == [2, "helper", "late 2", True]
    assert run(first, "sent_app") == [1, "helper", "late 1", True]
    third = sent_code.add(shop(3))
    assert run(third, "sent_app") == [3, "helper", "late 3", True]

    # The second version was made before the first had loaded anything.
    assert runs == ["helper", "app 1", "helper", "app 2", "app 3"]


def test_a_task_of_an_old_version_imports_its_own_modules_while_a_new_one_runs() -> None:
    first = sent_code.add(shop(1))
    begin: Any = sent_code.running
    with ThreadPoolExecutor(1) as thread:

        def old() -> Any:
            with sent_code.loading(first):
                function = importlib.import_module("sent_app").run

            def task() -> Any:
                begin.set(first)
                leases.pin_task(first.generation, 0)
                assert run(sent_code.add(shop(2)), "sent_app")[0] == 2
                return function()

            return copy_context().run(task)

        assert thread.submit(old).result() == [1, "helper", "late 1", True]


def test_projects_do_not_see_each_other() -> None:
    one = sent_code.add(sent(1, root="/nowhere/one/python", sent_app="def run(): return 'one'"))
    two = sent_code.add(sent(1, root="/nowhere/two/python", sent_app="def run(): return 'two'"))

    assert [run(one, "sent_app"), run(two, "sent_app"), run(one, "sent_app")] == [
        "one",
        "two",
        "one",
    ]


def test_packages_are_found_without_their_directories() -> None:
    texts = {
        "sent_package____init__": "",
        "sent_package__inner": "from . import other\ndef run(): return other.VALUE",
        "sent_package__other": "from sent_space.deep import module\nVALUE = module.VALUE",
        "sent_space__deep__module": "VALUE = 7",
    }
    version = sent_code.add(sent(1, **texts))

    assert run(version, "sent_package.inner") == 7


def test_a_module_that_does_not_load_is_tried_again() -> None:
    broken = sent_code.add(sent(1, sent_app="import sent_missing"))
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="sent_missing"):
            run(broken, "sent_app")
    whole = sent_code.add(sent(2, sent_app="def run(): return 1"))
    assert run(whole, "sent_app") == 1


def test_old_versions_are_dropped() -> None:
    for number in range(1, 2 * sent_code.MAX_VERSIONS):
        sent_code.add(shop(number))
    assert sent_code.find(f"{ROOT} 1") is None
    assert sent_code.find(f"{ROOT} {2 * sent_code.MAX_VERSIONS - 1}") is not None


def generation(number: int, text: str) -> Generation:
    sources = SourceCache()
    sources.preload({f"{ROOT}/sent_app.py": text.encode()})
    return Generation(number, RouteTable([]), sources=sources, ran={"sent_app": 1})


def test_a_worker_gets_the_code_once_and_equal_code_has_one_key() -> None:
    user_paths.configure([ROOT], "/nowhere/shop")
    made = generation(1, "VALUE = 1")
    messages = Messages(({}, b""), [ROOT], "/nowhere/shop")

    first = messages.first(made, task="a")
    whole = messages.again(first, made, "framework")

    assert (first["sources"], first["version"], first["task"]) == (None, None, "a")
    assert unpack_version(whole["version"]).files == {f"{ROOT}/sent_app.py": b"VALUE = 1"}
    other = Messages(({}, b""), [ROOT], "/nowhere/shop")
    assert other.first(generation(2, "VALUE = 1"), task="a") == first
    assert other.first(generation(2, "VALUE = 2"), task="a")["version_key"] != first["version_key"]


def test_a_worker_without_the_framework_asks_for_it() -> None:
    call = {"framework": "another one", "sources": None}
    assert eval(EXPRESSION, {"program": PROGRAM, "call": call}) == ("framework",)


def test_the_import_of_dask_refers_to_no_exception_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OfUser(Exception): ...

    class OfLibrary(Exception): ...

    OfUser.__module__ = "sent_app"
    monkeypatch.setattr(loader, "is_user_module_name", lambda name: name == "sent_app")

    def register(name: str) -> str:
        for kind in (OfUser, OfLibrary):
            copyreg.pickle(kind, str)  # type: ignore[arg-type]
        return name

    monkeypatch.setattr(importlib, "import_module", register)
    try:
        assert dask_connection._import_distributed() == "distributed"
        assert OfUser not in copyreg.dispatch_table
        assert OfLibrary in copyreg.dispatch_table
    finally:
        copyreg.dispatch_table.pop(OfLibrary, None)
        monkeypatch.undo()
