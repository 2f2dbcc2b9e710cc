"""A file of environment variables has the meaning that python-dotenv gives it."""

from __future__ import annotations

import io

import pytest
from dotenv.main import resolve_variables
from dotenv.parser import parse_stream
from hypothesis import example, given, settings
from hypothesis import strategies as st

from snaxum._reload.dotenv import parse

ENVIRONMENT = {"HOME": "/home/ada", "EMPTY": ""}

# Each as people write it.
TEXTS = [
    "QUOTE=it's\nNEXT=1",
    'JSON={"a": 1}',
    r"WIN=C:\Users\new",
    r'WIN="C:\Users\new"' + "\nNEXT=1",
    "SPACED = padded\n",
    "my-key.name=1",
    "export A=1\nexport\tB='2'\nexport =3\nexport export=4\nexport # nothing\n",
    "A=1\nB=${A}/${HOME}/${MISSING}/${MISSING:-y}/${EMPTY:-z}/$A/${A:-}\nA=3",
    "KEY=\"-----BEGIN\nabc\n-----END\"\nB='a\nb' # c\nC=1",
    "A=1 # comment\nB=1#no comment\nC='x#y' # z\n# whole\n   # indented\nD=#x\nE= # y",
    "hunter2 is the password\nA=1",
    "A\nB=2\n=3\nC=4\n'quoted name'=5\n''=6\n'open=7",
    'A="open\nB=2',
    'A=\'it\\\'s\' \nB="a\\tb\\n\\"c\\"\\x"\nC="${HOME}"\nD=\'${HOME}\'',
    "A='a\nb' junk\nB=1",
    "A=1\r\nB=2\rC='x\r\ny'\r\n",
    "A=b=c==\n\n\nB =\nC= d  \n",
    "ÄÖ=ü\nA=\u00a0x\u00a0",
    "A=1\x0b\x0cB=2",
    "URL=postgres://u:p@h/d?x=1&y=2#z",
    "A=`x`\nB=$(id)\nC=$$\nD=${\nE=${}\nF=${a:b}\nG=%PATH%",
]


def reference(text: str) -> tuple[dict[str, str], list[int]]:
    """The variables, and the lines without an assignment."""
    bindings = list(parse_stream(io.StringIO(text, newline="")))
    pairs = [(b.key, b.value) for b in bindings if b.key is not None and b.value is not None]
    values = resolve(pairs)
    bad = [
        b.original.line + leading_breaks(b.original.string)
        for b in bindings
        if b.error or (b.key is not None and b.value is None)
    ]
    return values, bad


def resolve(pairs: list[tuple[str, str]]) -> dict[str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.environ", ENVIRONMENT)
        resolved = resolve_variables(pairs, override=False)
    return {name: value for name, value in resolved.items() if value is not None}


def leading_breaks(original: str) -> int:
    blank = original[: len(original) - len(original.lstrip())]
    return len(blank.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1


@pytest.mark.parametrize("text", TEXTS)
def test_files_as_people_write_them_have_the_meaning_of_python_dotenv(text: str) -> None:
    parsed = parse(text.encode(), ENVIRONMENT)
    assert (parsed.values, [line for line, _ in parsed.problems]) == reference(text)


PIECES = st.sampled_from(
    [
        *"=#'\"\\\n\r \t$ab",
        "export ",
        "\r\n",
        "${",
        "}",
        ":-",
        "A=",
        "B='",
        'C="',
        "${A}",
        "é",
        "\x85",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
@example("export =1")
def test_any_file_has_the_meaning_of_python_dotenv(text: str) -> None:
    parsed = parse(text.encode(), ENVIRONMENT)
    values, _ = reference(text)
    assert parsed.values == values


def test_the_encodings_of_editors_are_read() -> None:
    text = "A=é\nB=2\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        parsed = parse(text.encode(encoding), {})
        assert (parsed.values, parsed.problems) == ({"A": "é", "B": "2"}, []), encoding


def test_a_line_without_a_meaning_is_named_by_its_number_and_the_others_apply() -> None:
    content = "A=1\n# caf\xe9\nNAME=caf\xe9\nhunter2 is it\nN=\0\n\nB=2".encode("latin-1")
    parsed = parse(content, {})
    assert parsed.values == {"A": "1", "B": "2"}
    assert [line for line, _ in parsed.problems] == [3, 4, 5]
    reasons = [reason.split(",")[0] for _, reason in parsed.problems]
    assert reasons == ["is not UTF-8", "is not NAME=value", "contains a NUL byte"]
    assert "hunter2" not in str(parsed.problems)
