"""The prose check finds a planted fault in each kind of place, and nothing in plain English."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROSE = Path(__file__).parents[1] / "prose"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", PROSE / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check"] = module
    spec.loader.exec_module(module)
    return module


check = load()
RULES = check.Rules((PROSE / "banned.txt").read_text(encoding="utf-8"))


def found(place: str, text: str) -> list[tuple[int, str]]:
    return [(fault.line, fault.found) for fault in check.check_text(RULES, place, text)]


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("a.md", "Fine.\n\nNobody waits.", (3, "Nobody")),
        ("a.md", "| What | is |\n|---|---|\n| What moved | x |", (3, "What")),
        ("a.md", "```sh\nls   # told once\n```", (2, "told")),
        ("a.md", "a `tool` that\nserves on", (2, "serves on")),
        ("a.rs", "//! What a file does.", (1, "What")),
        ("a.rs", "fn a() {\n    // It loads\n    // anew here.\n}", (3, "anew")),
        ("a.rs", "/* one\n * by hand */", (2, "by hand")),
        ("a.rs", 'let x = "this is no header";', (1, "is no")),
        ("a.rs", 'let x = \'"\'; let y = "it is\\\n    told now";', (2, "told")),
        ("a.rs", 'let x = r#"a "word" of those that fit"#;', (1, "those that")),
        (
            "a.rs",
            'const P: &str = r#"\nimport os\n\ndef a():\n    """Tells it."""\n"#;',
            (5, "Tells"),
        ),
        (
            "a.rs",
            "#[test]\nfn a_client_that_hears_of_it() {}",
            (2, "a_client_that_hears_of_it: hears"),
        ),
        ("a.rs", "pub(crate) fn answer() {}", (1, "answer")),
        ("a.py", '"""Keeps all."""', (1, "Keeps")),
        ("a.py", "x = 1  # one that fits", (1, "one that")),
        ("a.py", 'raise E(f"{name} lies here")', (1, "lies")),
        ("a.py", 'raise E(\n    f"a {b} client "\n    "that lies"\n)', (3, "lies")),
        ("a.py", "def tell():\n    pass", (1, "tell")),
        ("a.js", "// Of a row that moves, the place.", (1, "Of")),
        ("a.js", "const x = html`<p>${y}\n besides</p>`;", (2, "besides")),
        ("a.js", 'const x = html`<a title="nobody asked">b</a>`;', (1, "nobody")),
        ("a.js", 'const x = html`<p>${say("it is told")}</p>`;', (1, "told")),
        ("a.js", "const r = /[\"']/; const s = 'look at it';", (1, "look")),
        ("a.html", "<p>\nIt goes on.</p>", (2, "goes on")),
        ("a.css", "a { b: c } /* stands here */", (1, "stands")),
        ("a.toml", "a = 1  # for ever", (1, "for ever")),
        ("justfile", "# What CI runs\nci:", (1, "What")),
        ("run", '#!/bin/sh\necho "error: none is told"', (2, "told")),
    ],
)
def test_a_planted_fault_is_found(place: str, text: str, fault: tuple[int, str]) -> None:
    assert found(place, text) == [fault]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.md", "Developers who call `tell` keep a value. What is a lease? There is no other."),
        ("a.md", "A group or `*`. The `told` of *it*."),
        ("a.md", "```rust\nlet told = answer();\n```"),
        ("a.rs", "// Keeps serving; the lock is held.\nfn respond() { told(\"told\", 'a') }"),
        ("a.rs", "/// ```\n/// let told = 1;\n/// ```"),
        ("a.py", "x = {'answer': told}  # the response"),
        ("a.py", 'x = ("one "\n     f"of {many[0]} of them")'),
        ("a.js", "const told = answer / 2; // it serves on port 3000"),
        ("a.rs", "// nobody  prose: ok"),
        ("a.png", "nobody"),
    ],
)
def test_plain_english_and_code_pass(place: str, text: str) -> None:
    assert found(place, text) == []


@pytest.mark.parametrize(
    ("subject", "advice"),
    [
        ("A new thing", "area: what changes"),
        ("reload: the console loads", "imperative"),
        ("reload: stop asking whoever waits", "the noun"),
        ("reload: " + "x" * 65, "at most 72"),
        ("reload: add a, b, and c", "one idea"),
    ],
)
def test_a_commit_subject_has_a_shape(subject: str, advice: str) -> None:
    faults = check.check_subject(RULES, "commit 1", subject)
    assert [advice in fault.advice for fault in faults] == [True]


def test_a_plain_commit_subject_passes() -> None:
    assert check.check_subject(RULES, "commit 1", "reload: keep serving the old routes") == []


def test_the_check_fails_and_names_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / check.HERE).mkdir(parents=True)
    rules = (PROSE / "banned.txt").read_text(encoding="utf-8")
    (tmp_path / check.HERE / "banned.txt").write_text(rules, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("Fine.\nNobody waits.\n", encoding="utf-8")
    monkeypatch.setattr(check, "ROOT", tmp_path)

    assert check.main([]) == 1
    assert capsys.readouterr().out.startswith("docs/a.md:2: 'Nobody': ")
    assert check.main([str(tmp_path / "src")]) == 0
