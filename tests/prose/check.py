"""Checks that the project's prose is plain English: the words and shapes of banned.txt.

    python3 tests/prose/check.py                the whole repository, commit subjects included
    python3 tests/prose/check.py src/dev docs   these files and directories
    python3 tests/prose/check.py --count        the number of faults in each directory

Reads documents, comments, doc comments, string literals of two words or more, long function names
(tests are named by a sentence) and the subjects of commits since the rules last changed. Inline
code is not prose. A line that contains `prose: ok` is not checked. Never changes a file.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/prose/"
# Its own tests plant faults.
PLANTED = "tests/python/test_prose.py"
SKIPPED_DIRECTORIES = {".git", ".venv", ".snaxum", "node_modules", "target", "vendor"}
SUBJECT_LENGTH = 72
CODE = "`code`"


class Piece(NamedTuple):
    """A stretch of prose, and the number of its first line."""

    line: int
    text: str


class Fault(NamedTuple):
    """One use of a banned word or shape."""

    place: str
    line: int
    found: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.found!r}: {self.advice}"


class Rules:
    """The sections of banned.txt as regular expressions."""

    def __init__(self, text: str) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        section = ""
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1]
                continue
            pattern, _, advice = line.partition(" => ")
            if bool(advice) is (section == "allow"):
                raise ValueError(f"banned.txt:{number}: write `pattern => advice`")
            sections.setdefault(section, []).append((pattern, advice))
        allowed = "|".join(pattern for pattern, _ in sections["allow"])
        self.allowed = compiled(rf"\b(?:{allowed})\b")
        self.words = [(compiled(rf"\b(?:{p})\b"), advice) for p, advice in sections["words"]]
        start = r"(?:\A[^\w`]*|[.!?|]['\")]*\s+|\n\s*(?:[-#>+]+|\d+\.)\s+|\n\s*\n\s*)"
        self.starts = [
            (compiled(rf"{start}(?P<found>(?:{p})\b)"), advice)
            for p, advice in sections["sentence start"]
        ]
        self.names = [(compiled(rf"(?:{p})\Z"), advice) for p, advice in sections["names"]]

    def faults(self, place: str, piece: Piece) -> Iterator[Fault]:
        """Yields each fault of a piece; the first rule that matches a place wins."""
        text = without_code(piece.text)
        text = self.allowed.sub(lambda phrase: "\n" * phrase[0].count("\n") + "_", text)
        taken: set[int] = set()
        for pattern, advice in self.starts + self.words:
            for match in pattern.finditer(text):
                group = "found" if "found" in pattern.groupindex else 0
                start, end = match.span(group)
                if taken.isdisjoint(range(start, end)):
                    taken.update(range(start, end))
                    line = piece.line + text.count("\n", 0, start)
                    yield Fault(place, line, " ".join(match[group].split()), advice)

    def name_faults(self, place: str, line: int, name: str) -> Iterator[Fault]:
        """Yields the faults of a function's name, read as a sentence if it is long."""
        words = name.strip("_").split("_")
        if len(words) >= 4:
            sentence = " ".join(words).capitalize()
            for fault in self.faults(place, Piece(line, sentence)):
                yield fault._replace(found=f"{name}: {fault.found}")
        for pattern, advice in self.names:
            if pattern.match(name.strip("_")):
                yield Fault(place, line, name, advice)


def without_code(text: str) -> str:
    """Replaces inline code by one word; lines stay where they are."""
    return re.sub(r"`+[^`]*`+", lambda code: CODE + "\n" * code[0].count("\n"), text)


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(" ", r"\\s+", pattern), re.IGNORECASE)


# Places where prose is found, by kind of file


def markdown(text: str) -> Iterator[Piece]:
    """Yields the text outside fences, and the comments within them."""
    kept: list[str] = []
    fence: list[str] = []
    kind = ""
    opened = 0
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*```(\w*)", line)
        if mark and not opened:
            opened, kind, fence = number, mark[1], []
        elif mark:
            extract = FENCES.get(kind)
            if extract:
                for piece in extract("\n".join(fence)):
                    yield Piece(piece.line + opened, piece.text)
            opened = 0
        elif opened:
            fence.append(line)
        kept.append("" if mark or opened else line)
    prose = without_code("\n".join(kept))
    prose = re.sub(r"\]\([^)]*\)", "]", prose)
    prose = re.sub(r"https?://\S+", CODE, prose)
    yield Piece(1, prose.replace("*", ""))


def python(text: str) -> Iterator[Piece]:
    """Yields comments, blocks of them as one piece, and string literals."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        yield from hashed(text)  # a part of a program, as a test has it in a string
        return
    comments: list[tuple[int, str]] = []
    literals: list[tuple[int, str]] = []  # those side by side are one text
    opened: list[tuple[int, int]] = []
    lines = text.splitlines(keepends=True)
    for token in tokens:
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":  # from Python 3.12 on
            opened.append(token.start)
        elif kind == "FSTRING_END":
            start = opened.pop()
            if not opened:
                literals.append((start[0], literal(between(lines, start, token.end))))
        elif opened:
            continue
        elif kind == "STRING":
            literals.append((token.start[0], literal(token.string)))
        elif kind == "COMMENT":
            comments.append((token.start[0], token.string.lstrip("#! ")))
        elif kind != "NL":
            yield from joined(literals)
            literals = []
    yield from blocks(comments)


def between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Returns the text from one position of a token to another."""
    found = lines[start[0] - 1 : end[0]]
    found[-1] = found[-1][: end[1]]
    found[0] = found[0][start[1] :]
    return "".join(found)


def literal(source: str) -> str:
    """Returns what is between the quotes."""
    return re.sub(r"^\w*(\"\"\"|'''|\"|')(.*)\1$", r"\2", source, flags=re.DOTALL)


def joined(literals: list[tuple[int, str]]) -> Iterator[Piece]:
    """Joins literals side by side, a line break for each line between their beginnings."""
    text = ""
    for line, body in literals:
        text += "\n" * (line - literals[0][0] - text.count("\n")) + body
    if literals:
        yield from string(literals[0][0], text)


def rust(text: str) -> Iterator[Piece]:
    """Yields comments, blocks of them as one piece, and string literals."""
    yield from scanned(text, RUST)


def javascript(text: str) -> Iterator[Piece]:
    """Yields comments, string literals and the text of templates."""
    yield from scanned(text, JAVASCRIPT)


def css(text: str) -> Iterator[Piece]:
    """Yields comments."""
    for match in re.finditer(r"/\*(.*?)\*/", text, re.DOTALL):
        yield Piece(line_of(text, match.start()), match[1])


def hashed(text: str) -> Iterator[Piece]:
    """Yields comments that begin with `#`, and strings in double quotes."""
    comments: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'", "", line)
        if comment := re.search(r"(?:^|\s)#+!? ?(.*)", bare):
            comments.append((number, comment[1]))
        for match in re.finditer(r"\"((?:\\.|[^\"\\])*)\"", line):
            yield from string(number, match[1])
    yield from blocks(comments)


def html(text: str) -> Iterator[Piece]:
    """Yields the text between tags, and the attributes that are read or spoken."""

    def shown(tag: re.Match[str]) -> str:
        spoken = re.findall(r"(?:title|aria-label|placeholder|alt)=\"?([^\"<>]*)", tag[0])
        return "\n" * tag[0].count("\n") + " | " + " | ".join(spoken)

    text = re.sub(r"<style.*?</style>", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"\{[{%].*?[%}]\}", CODE, text)
    yield Piece(1, re.sub(r"<[^<>]*>", shown, text))


RUST = re.compile(
    r"""
    (?P<line>//[^\n]*) | /\*(?P<block>.*?)\*/
    | \b[bc]?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
    | "(?P<string>(?:\\.|[^"\\])*)"
    | '(?:\\.[^']*|[^'\\\n])'
    """,
    re.DOTALL | re.VERBOSE,
)
JAVASCRIPT = re.compile(
    r"""
    (?P<line>(?<!:)//[^\n]*) | /\*(?P<block>.*?)\*/
    | "(?P<string>(?:\\.|[^"\\\n])*)" | '(?P<single>(?:\\.|[^'\\\n])*)'
    | (?P<template>`)
    | (?<=[(,=:\[!&|?{};])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*
    """,
    re.DOTALL | re.VERBOSE,
)


def scanned(text: str, pattern: re.Pattern[str]) -> Iterator[Piece]:
    comments: list[tuple[int, str]] = []
    position = 0
    while match := pattern.search(text, position):
        position = match.end()
        line = line_of(text, match.start())
        groups = match.groupdict()
        if groups["line"] is not None:
            comments.append((line, re.sub(r"^//[/!]?", "", match["line"])))
        elif groups["block"] is not None:
            yield Piece(line, re.sub(r"(?m)^\s*\*", "", match["block"]))
        elif groups.get("template"):
            position, pieces = template(text, position)
            yield from pieces
        else:
            for name in ("string", "single", "raw"):
                if groups.get(name) is not None:
                    yield from string(line, match[name])
    yield from blocks(comments)


def template(text: str, position: int) -> tuple[int, list[Piece]]:
    """Reads a JavaScript template from behind its first backtick: where it ends, and its prose."""
    start = position
    shown = ""
    pieces: list[Piece] = []
    while position < len(text) and text[position] != "`":
        if text.startswith("${", position):
            end = expression_end(text, position + 2)
            inner = text[position + 2 : end]
            line = line_of(text, position)
            pieces += [Piece(line + p.line - 1, p.text) for p in javascript(inner)]
            shown += CODE + "\n" * inner.count("\n")
            position = end + 1
        else:
            step = 2 if text[position] == "\\" else 1
            shown += text[position : position + step]
            position += step
    line = line_of(text, start)
    texts = html(shown) if "<" in shown else string(1, shown)
    return position + 1, pieces + [Piece(line + p.line - 1, p.text) for p in texts]


def expression_end(text: str, position: int) -> int:
    """Finds the brace that closes `${`."""
    depth = 0
    while position < len(text):
        if text[position] == "`":
            position, _ = template(text, position + 1)
            continue
        if text[position] == "}" and depth == 0:
            return position
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        position += 1
    return position


def string(line: int, body: str) -> Iterator[Piece]:
    """Yields a literal that reads as words; a program in a literal yields its own prose."""
    if "\n" in body and re.search(
        r"^(import |from \w+ import|(async )?def |@\w|class )", body, re.M
    ):
        yield from (Piece(line + piece.line - 1, piece.text) for piece in python(body))
    elif re.search(r"[A-Za-z]\w*,? +[a-zA-Z]", body):
        body = re.sub(r"\\\n\s*", "\n", body)
        body = re.sub(r"\\[nt]", " ", body)
        yield Piece(line, re.sub(r"\{[^{}]*\}", CODE, body))


def blocks(comments: list[tuple[int, str]]) -> Iterator[Piece]:
    """Joins comments on lines that follow one another."""
    fenced = False
    first = 0
    lines: list[str] = []
    for number, text in comments:
        if lines and number != first + len(lines):
            yield Piece(first, "\n".join(lines))
            lines, fenced = [], False
        if not lines:
            first = number
        fence = text.lstrip().startswith("```")
        lines.append("" if fence or fenced else text)
        fenced ^= fence
    if lines:
        yield Piece(first, "\n".join(lines))


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


Extract = Callable[[str], Iterator[Piece]]
FENCES: dict[str, Extract] = {
    "js": javascript,
    "python": python,
    "rust": rust,
    "sh": hashed,
    "toml": hashed,
}
KINDS: dict[str, Extract] = {
    ".css": css,
    ".html": html,
    ".js": javascript,
    ".md": markdown,
    ".py": python,
    ".rs": rust,
    ".sh": hashed,
    ".toml": hashed,
    ".txt": hashed,
    ".yml": hashed,
    "": hashed,
}
NAMES = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))? |export |async |const |unsafe )*(?:fn|def|function) (\w+)", re.M
)


def check_text(rules: Rules, place: str, text: str) -> list[Fault]:
    """Returns the faults of one file, in the order of its lines."""
    suffix = Path(place).suffix
    extract = KINDS.get(suffix)
    if extract is None or (suffix == "" and not (text.startswith("#") or "justfile" in place)):
        return []
    found = [fault for piece in extract(text) for fault in rules.faults(place, piece)]
    if suffix in {".js", ".py", ".rs"}:
        for match in NAMES.finditer(text):
            found += rules.name_faults(place, line_of(text, match.start(1)), match[1])
    lines = text.splitlines()
    found = [
        fault for fault in found if "prose: ok" not in "".join(lines[fault.line - 1 : fault.line])
    ]
    return sorted(set(found), key=lambda fault: (fault.line, fault.found, fault.advice))


def check_subject(rules: Rules, commit: str, subject: str) -> list[Fault]:
    """Returns the faults of a commit's subject."""
    if re.match(r"(Merge|Revert|fixup!|squash!) ", subject):
        return []
    found = list(rules.faults(commit, Piece(1, subject.partition(": ")[2])))
    shape = re.match(r"[a-z][\w /.-]*: (?P<first>\S+)", subject)
    if not shape:
        found.append(Fault(commit, 1, subject, "write `area: what changes`"))
    elif shape["first"].lower() in {"a", "an", "the", "it", "its", "each", "all"}:
        found.append(Fault(commit, 1, shape["first"], "begin with a verb, in the imperative"))
    if len(subject) > SUBJECT_LENGTH:
        found.append(Fault(commit, 1, f"{len(subject)} characters", f"at most {SUBJECT_LENGTH}"))
    if subject.count(",") > 1 or subject.endswith("."):
        found.append(Fault(commit, 1, subject, "one idea, no list of commas, no full stop"))
    return found


def git(*args: str) -> list[str]:
    """Returns the lines that git prints, or none where it fails."""
    try:
        done = subprocess.run(
            ["git", *args], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
        )
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def subjects() -> list[tuple[str, str]]:
    """Returns the commits since the rules last changed: a new rule spares the history."""
    changed = git("log", "-1", "--format=%H", "--", f"{HERE}banned.txt")
    if not changed:
        return []
    lines = git("log", "--format=%h\t%s", f"{changed[0]}..HEAD")
    return [(commit, subject) for commit, _, subject in (line.partition("\t") for line in lines)]


def files() -> list[str]:
    """Returns the repository's files, with or without git."""
    names = git("ls-files") or [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    return sorted(
        name
        for name in names
        if not name.startswith(HERE)
        and name != PLANTED
        and SKIPPED_DIRECTORIES.isdisjoint(Path(name).parts)
        and (ROOT / name).is_file()
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description="Checks that the project's prose is plain English."
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files or directories; default: all"
    )
    parser.add_argument("--count", action="store_true", help="only count, directory by directory")
    options = parser.parse_args(arguments)
    rules = Rules((ROOT / HERE / "banned.txt").read_text(encoding="utf-8"))

    wanted = [Path(path).resolve() for path in options.paths]
    faults: list[Fault] = []
    for name in files():
        path = ROOT / name
        if wanted and not any(path == other or other in path.parents for other in wanted):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        faults += check_text(rules, name, text)
    if not wanted:
        for commit, subject in subjects():
            faults += check_subject(rules, f"commit {commit}", subject)

    if options.count:
        counts = Counter(str(Path(fault.place).parent) for fault in faults)
        for directory, number in sorted(counts.items()):
            print(f"{number:6} {directory}")
    else:
        for fault in faults:
            print(fault)
    print(f"{len(faults)} faults" if len(faults) != 1 else "1 fault", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
