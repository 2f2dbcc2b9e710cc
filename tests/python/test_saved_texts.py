"""The texts of the newest saves: their diff, their functions, and the limits."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from snaxum._reload import saved_texts
from snaxum._reload.saved_texts import SavedFile, SavedTexts

BEFORE = """import os

def total(prices):
    # all of them
    return sum(prices)

class Shop:
    def open(self):
        return True

    def close(self):
        return False
"""


def diff(before: str | None, after: str | None, path: str = "/shop.py") -> dict[str, Any]:
    texts = SavedTexts()
    contents = [None if text is None else text.encode() for text in (before, after)]
    described = texts.describe(str(texts.add([SavedFile(path, *contents)])))
    assert described["is_stored"]
    (file,) = described["files"]
    assert isinstance(file, dict)
    return file


def lines(file: dict[str, Any]) -> list[str]:
    return [line["sign"] + line["text"] for hunk in file["hunks"] for line in hunk]


def functions(file: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["name"], each["change"]) for each in file["functions"]]


def test_a_changed_line_is_shown_with_the_lines_around_it() -> None:
    file = diff(BEFORE, BEFORE.replace("return True", "return False"))
    assert lines(file) == [
        " ",
        " class Shop:",
        "     def open(self):",
        "-        return True",
        "+        return False",
        " ",
        "     def close(self):",
        "         return False",
    ]
    numbers = [(line["before"], line["after"]) for line in file["hunks"][0]]
    assert numbers == [(6, 6), (7, 7), (8, 8), (9, None), (None, 9), (10, 10), (11, 11), (12, 12)]
    assert functions(file) == [("Shop.open", "changed")]


def test_functions_are_added_removed_and_changed_but_not_by_comments() -> None:
    after = BEFORE.replace("# all of them", "# every one").replace("def close", "def shut")
    file = diff(BEFORE, after)
    assert functions(file) == [("Shop.shut", "added"), ("Shop.close", "removed")]
    assert functions(diff(BEFORE, BEFORE.replace("import os", "import sys"))) == [("", "changed")]


def test_a_decorator_belongs_to_its_function() -> None:
    before = "@route('/a')\ndef f():\n    return 1\n"
    assert functions(diff(before, before.replace("/a", "/b"))) == [("f", "changed")]


def test_a_file_may_be_new_gone_or_no_code() -> None:
    assert (diff(None, BEFORE)["kind"], diff(BEFORE, None)["kind"]) == ("created", "deleted")
    assert lines(diff(None, "a = 1\n")) == ["+a = 1"]
    other = diff(None, None, "/data.csv")
    assert (other["kind"], other["hunks"]) == ("other", [])


def test_a_text_that_does_not_compile_is_compared_too() -> None:
    file = diff("a = 1\n", "def f(:\n")
    assert (lines(file), functions(file)) == (["-a = 1", "+def f(:"], [])


def test_a_changed_secret_is_masked() -> None:
    shown = lines(diff('password = "zebra1"\n', 'password = "zebra2"\n'))
    assert shown == ["-password = ••••", "+password = ••••"]


def test_nothing_is_shown_of_equal_texts() -> None:
    assert lines(diff("a = 1\n", "a = 1\n")) == []
    assert lines(diff("", "")) == []


def test_a_long_diff_is_cut() -> None:
    file = diff("", "a = 1\n" * 5000)
    assert (len(lines(file)), file["is_cut"]) == (saved_texts.MAX_LINES, True)


def test_only_the_newest_texts_are_stored_up_to_a_limit() -> None:
    texts = SavedTexts()
    first = texts.add([SavedFile("/a.py", b"a = 1\n", b"a = 2\n")])
    for _ in range(saved_texts.MAX_SAVES):
        newest = texts.add([SavedFile("/a.py", b"a = 1\n", b"a = 2\n")])
    assert texts.describe(str(first)) == {"is_stored": False, "files": []}
    assert texts.describe(str(newest))["is_stored"]
    huge = texts.add([SavedFile("/a.py", b"", b"#" * (saved_texts.MAX_BYTES + 1))])
    assert not texts.describe(str(huge))["is_stored"]
    again = texts.add([SavedFile("/a.py", b"", b"a = 1\n")])
    assert texts.describe(str(again))["is_stored"]


@given(*[st.lists(st.sampled_from(["a", "b", "", "c"]), max_size=30)] * 2)
def test_the_diff_turns_the_one_text_into_the_other(before: list[str], after: list[str]) -> None:
    file = diff(*("".join(f"{line}\n" for line in text) for text in (before, after)))
    shown = [line for hunk in file["hunks"] for line in hunk]
    removed = {line["before"] for line in shown if line["sign"] == "-"}
    added = {line["after"]: line["text"] for line in shown if line["sign"] == "+"}
    kept = iter([text for number, text in enumerate(before, 1) if number not in removed])
    rebuilt = [
        added[number] if number in added else next(kept) for number in range(1, len(after) + 1)
    ]
    assert (rebuilt, list(kept)) == (after, [])
    assert bool(shown) == (before != after)
