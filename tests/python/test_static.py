"""The declaration of static directories: valid mounts, and errors with their place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from snaxum import RouteError, _registry, static
from snaxum._reload import user_paths
from snaxum.static_files import DuplicateStatic, StaticMount, find_file, missing_file


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[StaticMount]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "file").write_text("")
    registered: list[StaticMount] = []
    monkeypatch.setattr(user_paths, "_project", str(tmp_path))
    monkeypatch.setattr(_registry, "sink", SimpleNamespace(add_static=registered.append))
    return registered


def test_a_relative_directory_is_below_the_project(
    mounts: list[StaticMount], tmp_path: Path
) -> None:
    static("/assets/", "assets")
    static("/", tmp_path / "assets", index=False, max_age=60)
    assets, root = mounts
    assert assets.to_rust() == {
        "id": assets.id,
        "prefix": "/assets",
        "directory": str(tmp_path / "assets"),
        "index": "index.html",
        "spa": False,
        "max_age": None,
    }
    assert (root.prefix, root.index, root.max_age) == ("", "", 60)
    row = assets.to_dict(str(tmp_path))
    assert (row["path"], row["handler"], row["mode"]) == (
        "/assets/<path:file>",
        "assets/",
        "static",
    )
    assert (row["module"], row["line"]) == (__name__, 29)


@pytest.mark.parametrize(
    ("arguments", "options", "problem"),
    [
        (("assets", "assets"), {}, "the prefix must begin with a slash"),
        (("/<name>", "assets"), {}, "plain text without `<...>`"),
        (("/a/../b", "assets"), {}, "`..` cannot be a name in a prefix"),
        (("/__snaxum/x", "assets"), {}, "belongs to the console"),
        (("/a", "nothing"), {}, "nothing` does not exist; create it or correct the path"),
        (("/a", "file"), {}, "file` is not a directory"),
        (("/a", 7), {}, "the directory is a int; pass a path"),
        (("/a", "assets"), {"index": "../secret"}, "it must be the name of a file"),
        (("/a", "assets"), {"index": False, "spa": True}, "`spa` needs an index"),
        (("/a", "assets"), {"max_age": -1}, "it must be a number of seconds"),
    ],
)
def test_an_impossible_declaration_is_an_error_with_its_place(
    mounts: list[StaticMount],
    arguments: tuple[Any, Any],
    options: dict[str, Any],
    problem: str,
) -> None:
    with pytest.raises(RouteError) as raised:
        static(*arguments, **options)
    assert problem in str(raised.value)
    assert f"static directory `{arguments[0]}` at {__file__}:" in str(raised.value)
    assert mounts == []


def test_a_directory_beside_the_module_is_named(
    mounts: list[StaticMount], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Path(__file__).parent
    monkeypatch.setattr(user_paths, "_project", str(beside.parent.parent))
    with pytest.raises(RouteError, match=r"does not exist; write `tests/golden`, relative"):
        static("/a", "../golden")


def test_two_directories_of_one_prefix_are_named_with_their_places() -> None:
    first = StaticMount("/a", "/p/one", file="/p/a.py", line=3)
    second = StaticMount("/a", "/p/two", file="/p/b.py", line=4)
    message = str(DuplicateStatic(first, second))
    assert "`/a`" in message
    assert "/p/a.py:3" in message
    assert "/p/b.py:4; change one of the prefixes" in message


def test_a_lookup_finds_the_file_of_the_longest_prefix(tmp_path: Path) -> None:
    for name in ("one/deep/index.html", "one/a.txt", "two/b.txt", "secret", "one/.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "one/out").symlink_to(tmp_path / "secret")
    mounts = [
        StaticMount("", str(tmp_path / "one")),
        StaticMount("/two", str(tmp_path / "two"), index=""),
    ]

    def name(path: str) -> str | None:
        found = find_file(mounts, path)
        return f"{found[0].path} {found[1]}" if found else None

    assert name("/a.txt") == "/ a.txt"
    assert name("/deep/") == "/ deep/index.html"
    assert name("/two/b.txt") == "/two b.txt"
    for path in ("/deep", "/two/", "/two/a.txt", "/out", "/.env", "/../secret", "/nothing"):
        assert name(path) is None
    assert missing_file(mounts, "/two/x/y") == (
        f"no file `x/y` in the static directory `{tmp_path / 'two'}`"
    )
    assert missing_file(mounts, "/nothing") is None
