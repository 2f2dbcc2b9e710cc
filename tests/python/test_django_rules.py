"""How much a reload of a Django project does, with registries that resemble its own."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from snaxum._reload import django_rules
from snaxum._reload.model import Node


@pytest.fixture
def django(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The parts of Django that the rules read; `cleared` counts the calls that clear its URLs."""
    settings = SimpleNamespace(
        SETTINGS_MODULE="site.settings", ROOT_URLCONF="site.urls", MIDDLEWARE=["shop.timing.Timer"]
    )
    parts = SimpleNamespace(apps=SimpleNamespace(ready=True), settings=settings, cleared=0)

    def clear_url_caches() -> None:
        parts.cleared += 1

    for name, members in (
        ("django.apps", {"apps": parts.apps}),
        ("django.conf", {"settings": settings}),
        ("django.urls", {"clear_url_caches": clear_url_caches}),
    ):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return parts


def reason(*affected: str, **modules: ModuleType) -> str:
    nodes: dict[str, Node] = {name: Node(name, None) for name in affected}
    if "routes" in nodes:
        nodes["routes"].routes.append(None)  # type: ignore[arg-type]
    return django_rules.restart_reason(affected, nodes, modules)


def test_a_change_that_the_urls_lead_to_reloads_here(django: Any) -> None:
    assert reason("shop.views", "site.urls") == ""
    assert reason("helpers", "routes") == "", "a route of our own leads to it"
    assert reason() == ""


def test_a_change_of_what_django_stores_needs_a_new_process(django: Any) -> None:
    for name in ("shop.models", "shop.admin", "site.settings", "site.wsgi", "shop.timing"):
        assert "for the life of a process" in reason(name, "shop.views", "site.urls"), name
    assert "do not lead to the change" in reason("shop.tasks")
    model = type("Model", (), {"_meta": None, "__module__": "shop"})
    module = ModuleType("shop")
    vars(module)["Model"] = model
    assert "for the life of a process" in reason("shop", "site.urls", shop=module)


def test_without_a_set_up_django_there_are_no_rules(django: Any) -> None:
    django.apps.ready = False
    assert reason("shop.models") == ""


def test_django_reads_the_urls_of_the_new_code(django: Any) -> None:
    django_rules.after_reload()
    assert django.cleared == 1
