"""Routing compared with Werkzeug, the oracle: random rules, random paths, every method.

Owns the proof that converters and precedence mean the same. Left aside is what cannot be equal:
redirects for slashes, which Snaxum does not have, and ties, which Werkzeug decides by the order of
definition (it gets the rules in the order that Snaxum promises, Snaxum gets them shuffled).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import MethodNotAllowed as TheirMethodNotAllowed
from werkzeug.exceptions import NotFound as TheirNotFound
from werkzeug.routing import Map, Rule

from snaxum._core.patterns import CONVERTERS, Converter, match_long
from snaxum._core.unmatched import ImpliedOptions, MethodNotAllowed, NotFound
from snaxum.routing import Route, RouteTable

UUID = "12345678-1234-5678-1234-567812345678"
METHODS = ["GET", "HEAD", "POST", "OPTIONS"]

moderate = settings(
    max_examples=250,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

texts = st.sampled_from(["a", "1", "1.5", "-", ".", "a-", "é", "(", UUID])
converters = st.sampled_from(["", "string:", "int:", "float:", "uuid:", "path:"])
params = converters.map(lambda converter: f"<{converter}?>")
# Few and alike, so that several rules want the same path; and now and then anything.
alike = ["a", "1", "<?>", "<int:?>", "<float:?>", "<uuid:?>", "<path:?>", "", "<?>a", "a<?>"]
alike += ["<?>-<?>", "<int:?>-<?>", "<?><?>a", "<?><?>", "<path:?>a", "aa<?>", "<?>-<?>a"]
segments = st.one_of(
    st.sampled_from(alike),
    st.sampled_from(alike),
    st.lists(st.one_of(texts, params), min_size=2, max_size=4).map("".join),
)


def named(text: str) -> str:
    names = iter("pqrstuvwxyzabcdefghijk")
    return re.sub(r"\?", lambda _: next(names), text)


values = st.sampled_from(
    ["a", "b", "ab", "1", "12", "1.5", "-", "a-1.b", "a-b-c", "", "é", "٣", "a\nb", "\n", "(", UUID]
)
paths = st.lists(
    st.one_of(values, st.lists(values, max_size=3).map("".join)), min_size=1, max_size=6
).map(lambda parts: "/" + "/".join(parts))


FITS = {
    "string": st.sampled_from(["a", "1", "aa", "a-a", "1-1", "1.5", UUID]),
    "int": st.sampled_from(["1", "11", "٣"]),
    "float": st.sampled_from(["1.5", "0.0"]),
    "uuid": st.just(UUID),
    "path": st.sampled_from(["a", "a/a", "1/", "a//a", "a/1.5/a", "\n/a-a"]),
}


def fitting(pieces: Sequence[str | Converter]) -> st.SearchStrategy[str]:
    """Make texts that the pieces often match."""
    parts = [st.just(piece) if isinstance(piece, str) else FITS[piece.name] for piece in pieces]
    return st.tuples(*parts).map("".join)


def handler(request: object) -> None: ...


def shape(route: Route) -> tuple[Any, ...]:
    return tuple(part.pieces for part in route.parsed.parts)


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Route]:
    taken: dict[Any, set[str]] = {}
    routes = []
    # A few choices for each segment, combined: the rules compete at every level.
    levels = draw(st.lists(st.lists(segments, min_size=2, max_size=5), min_size=1, max_size=3))
    rules = st.tuples(*(st.sampled_from(level) for level in levels)).map(
        lambda parts: "/" + "/".join(parts)
    )
    for rule in draw(st.lists(rules, min_size=2, max_size=10)):
        pattern = named(rule)
        if pattern.startswith("//") or pattern.endswith("//"):
            continue
        wanted = draw(st.sampled_from([["GET"], ["GET"], ["POST"], ["HEAD"], ["GET", "OPTIONS"]]))
        key = shape(Route(pattern, None, handler))
        methods = set(wanted) - taken.setdefault(key, set())
        if methods:
            taken[key] |= methods
            routes.append(Route(pattern, methods, handler))
    assume(routes)
    return routes


def oracle(routes: Sequence[Route], *, has_slash: bool) -> Map:
    """Make the rules for the paths that end with a slash, or for the others."""
    promised = sorted(
        routes, key=lambda r: ([part.order for part in r.parsed.parts], "HEAD" not in r.methods)
    )
    # Werkzeug redirects other paths to a rule with a slash at its end; Snaxum does not.
    rules = [
        Rule(route.pattern, endpoint=route, methods=list(route.methods))
        for route in promised
        if has_slash or not route.pattern.endswith("/")
    ]
    return Map(rules, merge_slashes=False, redirect_defaults=False)


def ask_werkzeug(routes: Sequence[Route], path: str, method: str) -> object:
    return ask(oracle(routes, has_slash=path.endswith("/")), path, method)


def ask(rules: Map, path: str, method: str) -> object:
    adapter = rules.bind("example.org")
    try:
        route, params = adapter.match(path, method)
    except TheirMethodNotAllowed as error:
        allow = tuple(sorted({"OPTIONS", *(error.valid_methods or ())}))
        return ImpliedOptions(allow) if method == "OPTIONS" else MethodNotAllowed(allow)
    except TheirNotFound:
        return NotFound()
    return route, dict(params)


@moderate
@given(routes=rule_sets(), path=paths, method=st.sampled_from([*METHODS, "PUT"]), data=st.data())
def test_any_path_gets_the_result_of_werkzeug_in_any_order(
    routes: list[Route], path: str, method: str, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(routes))

    assert RouteTable(shuffled).match(method, path) == ask_werkzeug(routes, path, method)


@moderate
@given(routes=rule_sets(), data=st.data())
def test_a_path_made_from_a_pattern_gets_the_result_of_werkzeug(
    routes: list[Route], data: st.DataObject
) -> None:
    route = data.draw(st.sampled_from(routes))
    path = "".join("/" + data.draw(fitting(part.pieces)) for part in route.parsed.parts)
    method = data.draw(st.sampled_from([*route.methods, *METHODS]))

    ours = RouteTable(data.draw(st.permutations(routes))).match(method, path)

    assert ours == ask_werkzeug(routes, path, method)


piece_lists = st.lists(
    st.one_of(
        st.sampled_from([*CONVERTERS.values()]), st.sampled_from(["a", "/", "-", "1", "/a/"])
    ),
    min_size=1,
    max_size=6,
)


@moderate
@given(pieces=piece_lists, data=st.data())
def test_the_matcher_of_long_texts_equals_the_regex(
    pieces: list[str | Converter], data: st.DataObject
) -> None:
    text = data.draw(fitting(pieces) | st.text("a1-./٣\n", max_size=24))
    regex = "".join(re.escape(p) if isinstance(p, str) else f"({p.regex})" for p in pieces)
    converts = [piece.convert for piece in pieces if isinstance(piece, Converter)]

    found = re.fullmatch(regex, text)

    expected = found and tuple(f(group) for f, group in zip(converts, found.groups()))
    assert match_long(pieces, text) == expected
