"""Templates: `render` fills a Jinja template of the project.

Owns the environment of jinja2, which is the user's and is imported at the first call. Never serves
a template that has changed: in development a template is compared with its file at each use.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import _registry
from ._core.near_names import near_names
from ._reload import user_paths

if TYPE_CHECKING:
    from jinja2 import Environment

# The extensions of templates whose values are escaped.
ESCAPED = ("html", "htm", "xhtml", "xml", "svg")
# The most near names that an error lists, and the most files that are compared for them.
MAX_NEAR = 3
MAX_COMPARED = 2000

_directory: str | None = None
_reloads = True
_environment: Environment | None = None


def configure(directory: str, *, reloads: bool) -> None:
    """Set the directory of the templates, and whether changed files are noticed."""
    global _directory, _reloads, _environment
    _directory, _reloads, _environment = directory, reloads, None


def directory() -> str:
    """Return the directory of the templates as an absolute path; it may be missing."""
    return _directory or os.path.join(user_paths.display_root(), "templates")


def is_template(path: str) -> bool:
    """Report whether a path is that of a template."""
    return path.startswith(directory() + os.sep)


def render(template: str, /, **values: object) -> str:
    """Fill the template of this name in `templates/` and return the text.

    Values are escaped in HTML and XML. Raises ModuleNotFoundError without jinja2, its
    `TemplateNotFound` for a missing template, and every error of the template itself.
    """
    global _environment
    if _environment is None:
        _environment = _make_environment()
    return _environment.get_template(template).render(values)


def _make_environment() -> Environment:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        if error.name != "jinja2":
            raise
        raise ModuleNotFoundError(
            "`render` needs jinja2, which is not installed; add it to the project: "
            "`uv add jinja2` or `pip install jinja2`",
            name="jinja2",
        ) from None

    def load(name: str) -> tuple[str, str, Callable[[], bool]]:
        path = _path(name)
        try:
            source = _read(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise jinja2.TemplateNotFound(name, _not_found(name)) from None
        except UnicodeDecodeError as error:
            raise jinja2.TemplateError(f"the template `{name}` is not UTF-8: {error}") from None
        return source, path, lambda: _is_same(path, source)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=jinja2.select_autoescape(ESCAPED, default_for_string=False),
        auto_reload=_reloads,
    )
    from .urls import url_for

    environment.globals["url_for"] = url_for
    return environment


def _path(name: str) -> str:
    """Return the path of a template; a name outside of the directory has none."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or os.sep in part or "\0" in part for part in parts):
        return os.path.join(directory(), "\ufffd")
    return os.path.join(directory(), *parts)


def _read(path: str) -> str:
    if _registry.sink is not None:
        _registry.sink.add_input(path)
    with open(path, encoding="utf-8") as file:
        return file.read()


def _is_same(path: str, source: str) -> bool:
    # Not the time stamp: two saves may have the same one.
    try:
        return _read(path) == source
    except (OSError, UnicodeDecodeError):
        return False


def _not_found(name: str) -> str:
    """Describe a missing template: the directory, and the names that are near."""
    root = directory()
    shown = user_paths.display_path(root)
    if not os.path.isdir(root):
        return f"no template `{name}`: there is no directory `{shown}`; create it"
    names: list[str] = []
    for parent, _, files in os.walk(root):
        inside = os.path.relpath(parent, root)
        names += [
            os.path.normpath(os.path.join(inside, file)).replace(os.sep, "/") for file in files
        ]
        if len(names) > MAX_COMPARED:
            break
    near = near_names(name, names, MAX_NEAR)
    near += [each for each in names if each.split("/")[-1] == name and each not in near][:MAX_NEAR]
    hint = f"; near it: {', '.join(near)}" if near else ""
    return f"no template `{name}` in `{shown}`{hint}"
