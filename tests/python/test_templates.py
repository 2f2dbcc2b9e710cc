"""`render`: names, escaping, errors that name the way out, and templates that change."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest

from snaxum import RouteError, render, templates
from snaxum._debug import traceback
from snaxum._reload import user_paths


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(user_paths, "_project", str(tmp_path))
    root = tmp_path / "templates"
    root.mkdir()
    templates.configure(str(root), reloads=True)
    yield root
    templates.configure("", reloads=True)


def test_values_are_escaped_in_html_and_not_in_text(directory: Path) -> None:
    (directory / "page.html").write_text("<p>{{ name }}</p>")
    (directory / "mail.txt").write_text("{{ name }}")
    assert render("page.html", name="<b>") == "<p>&lt;b&gt;</p>"
    assert render("mail.txt", name="<b>") == "<b>"


def test_a_template_may_extend_and_include_others(directory: Path) -> None:
    (directory / "parts").mkdir()
    (directory / "base.html").write_text("[{% block body %}{% endblock %}]")
    (directory / "parts/row.html").write_text("{{ n }};")
    (directory / "page.html").write_text(
        '{% extends "base.html" %}{% block body %}'
        '{% for n in ns %}{% include "parts/row.html" %}{% endfor %}{% endblock %}'
    )
    assert render("page.html", ns=[1, 2]) == "[1;2;]"


def test_a_changed_template_is_never_stale_even_with_the_same_time_stamp(directory: Path) -> None:
    page = directory / "page.html"
    page.write_text("one")
    stamp = page.stat()
    assert render("page.html") == "one"
    page.write_text("two")
    os.utime(page, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert render("page.html") == "two"


def test_in_production_a_template_is_read_once(directory: Path) -> None:
    templates.configure(str(directory), reloads=False)
    (directory / "page.html").write_text("one")
    assert render("page.html") == "one"
    (directory / "page.html").write_text("two")
    assert render("page.html") == "one"


def test_a_missing_template_names_the_directory_and_near_names(directory: Path) -> None:
    (directory / "pages").mkdir()
    (directory / "pages/index.html").write_text("")
    (directory / "page.html").write_text("")
    with pytest.raises(jinja2.TemplateNotFound) as raised:
        render("pgae.html")
    assert "no template `pgae.html` in `templates`; near it: page.html" in str(raised.value)
    with pytest.raises(jinja2.TemplateNotFound, match=r"near it: pages/index\.html"):
        render("index.html")
    (directory / "page.html").write_text('{% include "nothing.html" %}')
    with pytest.raises(jinja2.TemplateNotFound, match=r"no template `nothing\.html`"):
        render("page.html")


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a\0b"])
def test_a_name_cannot_leave_the_directory(directory: Path, name: str) -> None:
    (directory.parent / "secret").write_text("secret")
    with pytest.raises(jinja2.TemplateNotFound):
        render(name)


def test_without_the_directory_the_error_names_it(directory: Path) -> None:
    directory.rmdir()
    with pytest.raises(jinja2.TemplateNotFound, match="there is no directory `templates`"):
        render("page.html")


def test_without_jinja2_the_error_names_the_package(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "jinja2":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="`uv add jinja2`"):
        render("page.html")


def test_a_traceback_has_the_line_of_the_template(directory: Path) -> None:
    (directory / "page.html").write_text("<p>\n{{ 1 / zero }}\n</p>\n")
    (directory / "broken.html").write_text("<p>\n\n{% if %}\n")
    for name, line, text in [("page.html", 2, "{{ 1 / zero }}"), ("broken.html", 3, "{% if %}")]:
        with pytest.raises((ZeroDivisionError, jinja2.TemplateSyntaxError)) as raised:
            render(name, zero=0)
        frames = traceback.capture(raised.value, with_locals=True)["frames"]
        last = [frame for frame in frames if frame["user"]][-1]
        assert (last["file"], last["line"]) == (f"templates/{name}", line)
        assert {"line": line, "text": text} in last["source"]


def test_a_template_has_url_for(directory: Path) -> None:
    (directory / "page.html").write_text("{{ url_for('static', filename='a.css') }}")
    with pytest.raises(RouteError, match="none is declared"):
        render("page.html")
