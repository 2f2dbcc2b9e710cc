"""Frameworks that store something for the life of a process: routes of BlackSheep, templates."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from snaxum._hosts import fresh_templates
from snaxum._reload import blacksheep_rules


@pytest.mark.parametrize(
    ("router", "needs_process"),
    [
        (SimpleNamespace(routes={b"GET": ["a route"]}, registered_routes=[]), True),
        (SimpleNamespace(routes={}, registered_routes=[("GET", "a route")]), True),
        (SimpleNamespace(routes={b"GET": []}, registered_routes=[]), False),
        (SimpleNamespace(), False),
        (None, False),
    ],
)
def test_routes_of_blacksheeps_decorators_need_a_new_process(
    router: Any, needs_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("blacksheep.server.routing")
    vars(module)["router"] = router
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert bool(blacksheep_rules.restart_reason()) == needs_process


def test_flask_reads_a_saved_template_again(tmp_path: Path) -> None:
    flask = pytest.importorskip("flask")
    (tmp_path / "page.html").write_text("first")
    app = flask.Flask(__name__, template_folder=str(tmp_path))
    fixed = flask.Flask(__name__, template_folder=str(tmp_path))
    fixed.config["TEMPLATES_AUTO_RELOAD"] = False
    used = flask.Flask(__name__, template_folder=str(tmp_path))
    with used.app_context():
        assert flask.render_template("page.html") == "first"
    for each in (app, fixed, used):
        fresh_templates.read_again(each)
    rendered = []
    for text in ("first", "the second"):
        (tmp_path / "page.html").write_text(text)
        for each in (app, fixed, used):
            with each.app_context():
                rendered.append(flask.render_template("page.html"))
    assert rendered == ["first"] * 3 + ["the second", "first", "the second"]


class Hostile:
    @property
    def __dict__(self) -> Any:
        raise RuntimeError("no")


def test_any_other_application_stays_as_it_is() -> None:
    for app in (Hostile(), len, SimpleNamespace(config={"a": None}), object()):
        fresh_templates.read_again(app)
