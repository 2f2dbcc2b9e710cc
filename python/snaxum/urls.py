"""`url_for`: the path of a route by the name of its function.

Owns the lookup of names, and the text of values in a path. Knows no host: a path is enough for a
link, and for `redirect`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import _registry
from ._core.late_module import late_module
from ._core.near_names import near_names
from ._core.patterns import Converter
from ._core.route_errors import RouteError
from .routing import Route

if TYPE_CHECKING:
    import urllib.parse as url_parts
else:
    url_parts = late_module("urllib.parse")

# The characters of a path that need no escape; a segment has no slash.
_SAFE = "!$&'()*+,;=:@"
_ABSOLUTE = "it returns a path, so write the scheme and the host before it"
# The options of Flask's `url_for`, and what they are here.
_FLASK = {
    "_external": _ABSOLUTE,
    "_scheme": _ABSOLUTE,
    "_anchor": "add `#` and the anchor to its result",
    "_method": "a name is that of one function, whatever its methods are",
}
# The characters of a query that need no escape, as in Flask.
_SAFE_IN_QUERY = "!$'()*,/:;?@"


def url_for(endpoint: str, /, **params: Any) -> str:
    """Return the path of the route whose handler has the name `endpoint`, without a host.

    The name is that of the function, or `blueprint.function`, or `module.function`. Values of the
    path's parameters are escaped; the others become the query, a list as several values, and None
    is left out. If a function has several routes, it takes the most parameters that are given.

    `url_for("static", filename="css/app.css")` is the path of a file in a directory of `static`.

    Raises RouteError for an unknown name, a missing value, or one that the route would not match.
    """
    routes: Sequence[Route] = () if _registry.sink is None else _registry.sink.routes()
    named = [route for route in routes if endpoint in (route.endpoint, route.handler_name)]
    taken = {name for route in named for name in route.names}
    for name in _FLASK.keys() & params.keys() - taken:
        raise RouteError(f"url_for({endpoint!r}) has no `{name}`; {_FLASK[name]}")
    if not named and endpoint == "static":
        return _static_path(params)
    if not named:
        raise RouteError(_unknown(endpoint, routes))
    if len({route.handler_name for route in named}) > 1:
        names = sorted({route.handler_name for route in named})
        raise RouteError(
            f"url_for({endpoint!r}): {len(names)} functions have this name; "
            f"use one of {', '.join(map(repr, names))}"
        )
    fitting = [route for route in named if params.keys() >= set(route.names)]
    if not fitting:
        nearest = min(named, key=lambda route: len(set(route.names) - params.keys()))
        missing = [name for name in nearest.names if name not in params]
        raise RouteError(
            f"url_for({endpoint!r}): `{nearest.pattern}` needs a value for "
            f"{', '.join(f'`{name}`' for name in missing)}; "
            f"write `url_for({endpoint!r}, {missing[0]}=...)`"
        )
    route = max(fitting, key=lambda each: len(each.names))
    path = _path(route, endpoint, params)
    query = _query({name: params[name] for name in params if name not in route.names})
    return f"{path}?{query}" if query else path


def _path(route: Route, endpoint: str, params: dict[str, Any]) -> str:
    names = iter(route.names)
    parts = []
    for part in route.parsed.parts:
        text = ""
        for piece in part.pieces:
            if isinstance(piece, Converter):
                text += _escaped(piece, next(names), params, route, endpoint)
            else:
                text += url_parts.quote(piece, safe=_SAFE + "/")
        parts.append(text)
    return "/" + "/".join(parts)


def _escaped(
    converter: Converter, name: str, params: dict[str, Any], route: Route, endpoint: str
) -> str:
    value = params[name]
    text = str(value)
    if converter.whole(text) is None and converter.name == "float" and isinstance(value, int):
        text = str(float(value))
    if isinstance(value, bool) or value is None or converter.whole(text) is None:
        raise RouteError(
            f"url_for({endpoint!r}): {value!r} is not a value of `<{converter.name}:{name}>` in "
            f"`{route.pattern}`; pass one such as {converter.convert(converter.example)!r}"
        )
    return url_parts.quote(text, safe=_SAFE + ("/" if converter.takes_slashes else ""))


def _static_path(params: dict[str, Any]) -> str:
    """Return the path of the first static directory that has the file."""
    params = dict(params)
    file = params.pop("filename", None)
    mounts = [] if _registry.sink is None else list(_registry.sink.static_mounts())
    if not isinstance(file, str):
        raise RouteError('url_for("static"): name the file: `filename="css/app.css"`')
    name = file.lstrip("/")
    having = [each for each in mounts if os.path.isfile(os.path.join(each.directory, name))]
    if not having and len(mounts) != 1:
        shown = ", ".join(each.path for each in mounts) or "none is declared"
        raise RouteError(
            f'url_for("static", filename={file!r}): no directory of `static` has this file: {shown}'
        )
    path = f"{(having or mounts)[0].prefix}/{url_parts.quote(name, safe=_SAFE + '/')}"
    query = _query(params)
    return f"{path}?{query}" if query else path


def _query(params: dict[str, Any]) -> str:
    pairs = [
        (name, each)
        for name, value in params.items()
        for each in (value if isinstance(value, list | tuple | set) else [value])
        if each is not None
    ]
    return url_parts.urlencode(pairs, safe=_SAFE_IN_QUERY)


def _unknown(endpoint: str, routes: Iterable[Route]) -> str:
    names = sorted({route.endpoint for route in routes} - {""})
    if not names:
        return f"url_for({endpoint!r}): there are no routes yet; call it in a handler"
    last = endpoint.rpartition(".")[2]
    near = [name for name in names if name.rpartition(".")[2] == last]
    near += [n for n in near_names(endpoint, names, 3) if n not in near]
    hint = "did you mean" if near else "there are"
    shown = (near or names)[:5]
    more = ", …" if len(near or names) > len(shown) else ""
    return (
        f"url_for({endpoint!r}): no function of a route has this name; {hint} "
        f"{', '.join(map(repr, shown))}{more}{'?' if near else ''}"
    )
