"""Secrets in source text: literals of secret names, and values of secret variables."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaxum._debug.source_mask import (
    mask_lines,
    mask_printed_line,
    mask_source,
    split_lines,
)

MASK = "••••"


def masked(text: str) -> str:
    return "\n".join(mask_source(text).lines)


@pytest.mark.parametrize(
    "line",
    [
        "api_key = {}",
        "self.token: str = {}",
        "password = secret = {}",
        "user, password = 'ada', {}",
        "connect(host='a', password={})",
        "h = {{'Authorization': {}, 'n': 1}}",
        "hs = [('x-api-key', {})]",
        "os.environ['SESSION_KEY'] = {}",
        "os.environ.setdefault('SECRET_KEY', {})",
        "secret_key = os.environ.get('SECRET_KEY') or {}",
        "key = os.getenv('SECRET_KEY', {})",
        "def f(a, /, token={}, *, pin=None): ...",
        "def f(*, token={}): ...",
        "password = SecretStr({})",
        "token = {}.encode()",
        "keys = [{}, 'b']",
        "token = (\n    {}\n)",
        "(token := {})",
        "if True:\n    # password = {}\n    pass",
        "x = 1  # token: {}",
    ],
)
@pytest.mark.parametrize(
    "literal", ["'swordfish'", 'b"swordfish"', 'f"swordfish{1}"', "r'swordfish'"]
)
def test_a_literal_of_a_secret_name_is_masked(line: str, literal: str) -> None:
    assert "swordfish" not in masked(line.format(literal))
    assert MASK in masked(line.format(literal))
    # The same in a text that does not parse, if a name and its value are in one line.
    if "\n" not in line and line.partition("{}")[0].rstrip().endswith("="):
        assert "swordfish" not in masked(line.format(literal) + "\ndef f(:")


@pytest.mark.parametrize(
    "line",
    [
        "key = request.query_params['name']",
        "token = request.headers.get('authorization')",
        "keys = sorted(a, key=len)",
        "name = 'token'",
        "password = ''",
        "secret = None",
        "if key == 'name': pass",
        "def f(key: 'Key') -> 'Token': ...",
        "for key in ('a', 'b'): pass",
    ],
)
def test_a_name_is_not_a_secret(line: str) -> None:
    assert masked(line) == line


def test_a_literal_that_equals_a_secret_variable_is_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    monkeypatch.setenv("SHOP_TOKEN", "a-long-value")
    text = "connect('hunter2', b'hunter2', 'hunter22')\nurl = 'http://a-long-value.example'"
    assert masked(text) == f"connect({MASK}, {MASK}, 'hunter22')\nurl = 'http://{MASK}.example'"


def test_a_source_line_in_a_printed_traceback_is_masked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert mask_printed_line("    f(password='a', n=1)") == f"    f(password={MASK}, n=1)"
    assert mask_printed_line("password='a'") == "password='a'"
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    assert mask_printed_line("    f(\"hunter2\", b'hunter2')") == f"    f({MASK}, {MASK})"


def test_the_literals_of_a_deep_sum_are_masked() -> None:
    total = " + ".join(["'fish'"] * 1500)
    (line,) = mask_source(f"password = {total}").lines
    assert "fish" not in line


def test_columns_refer_to_the_masked_line() -> None:
    source = mask_source("é = 'x'; token = 'swordfish'; fail(token='a'); after = 1")
    line, original = (
        source.lines[0],
        "é = 'x'; token = 'swordfish'; fail(token='a'); after = 1",
    )
    for word in ["token", "fail", "after"]:
        column = source.column(0, original.index(word))
        assert column == line.index(word)
    assert source.column(0, None) is None
    assert source.column(0, original.index("wordfish")) == line.index(MASK)
    assert source.column(7, 3) == 3


def test_the_lines_of_a_printed_traceback_are_masked_with_their_marks() -> None:
    lines = ["connect(password='swordfish')", "other()"]
    text = "  File 'a'\n    connect(password='swordfish')\n     ^^^^\n    other()\n    ^^^^^\n"
    shown = mask_lines(text, [mask_source("\n".join(lines))], [lines])
    assert shown == f"  File 'a'\n    connect(password={MASK})\n    other()\n    ^^^^^\n"


@given(st.text(st.sampled_from("ab=:'\"\\\n\r\f \t(){}[]#,é\u2028token"), max_size=80))
def test_the_number_of_lines_never_changes(text: str) -> None:
    source = mask_source(text)
    assert len(source.lines) == len(split_lines(text))
    for index, line in enumerate(split_lines(text)):
        columns = [source.column(index, column) for column in range(len(line) + 1)]
        assert columns == sorted(columns)
        assert columns[-1] == len(source.lines[index])


NAMES = st.sampled_from(["token", "API_KEY", "db.password", "x['secret']", "client_secret"])
VALUES = st.recursive(
    st.builds(repr, st.sampled_from(["zebra", "zebra\nzebra", "é zebra 'a'", b"zebra"])),
    lambda inner: st.one_of(
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{} + {}".format, inner, inner),
        st.builds("({}\n+ {})".format, inner, inner),
        st.builds("({} or None)".format, inner),
        st.builds("bytes({})".format, inner),
        st.builds("{{'a': {}}}".format, inner),
    ),
    max_leaves=5,
)


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4), st.booleans())
def test_no_literal_of_any_value_is_shown(pairs: list[tuple[str, str]], in_function: bool) -> None:
    lines = [f"{name} = {value}" for name, value in pairs]
    text = "\n".join(["def f():", *(f"  {line}" for line in lines)] if in_function else lines)
    ast.parse(text)
    shown = masked(text)
    assert "zebra" not in shown
