"""How much a reload of a Django project does, with registries that resemble its own."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from snaxum._reload import django_rules
from snaxum._reload.model import Node
from snaxum.mounts import Mount


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


def node_with(app: object) -> Node:
    node = Node("mysite.wsgi", None)
    node.routes.append(Mount("", app, "wsgi"))  # type: ignore[arg-type]
    return node


def application() -> Any:
    """An object of a class that is Django's by its module, below a middleware."""
    made = type("WSGIHandler", (), {"__module__": "django.core", "__call__": lambda *_: []})()
    return type("Middleware", (), {"app": made, "__call__": lambda *_: []})()


def test_django_and_the_list_of_routes_read_the_urls_of_the_new_code(django: Any) -> None:
    node = node_with(application())
    mount = node.routes[0]
    assert isinstance(mount, Mount)
    mount.inner = ["old"]
    django_rules.after_reload([node])
    assert (django.cleared, mount.inner) == (1, None)


def test_the_urls_are_an_entry_module_where_an_application_of_django_is_mounted(
    django: Any,
) -> None:
    assert django_rules.url_modules([node_with(application())]) == ["site.urls"]
    assert django_rules.url_modules([node_with(lambda *_: [])]) == []
    django.settings.ROOT_URLCONF = None
    assert django_rules.url_modules([node_with(application())]) == []


def test_without_django_there_is_no_entry_module() -> None:
    assert django_rules.url_modules([node_with(application())]) == []
