"""The texts of the newest saves, before and after: their diff, and the functions that changed.

Owns the texts, bounded in number and bytes. Reads no file: it has the texts that a reload compared.
Compares them only for a reader, so no reload waits for that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core.late_module import late_module
from .._debug.source_mask import MAX_PARSED, mask_source, split_lines
from .changes import Changes
from .model import Source
from .user_paths import display_path

if TYPE_CHECKING:
    import ast
    import difflib
else:
    ast, difflib = map(late_module, ("ast", "difflib"))

# The most saves and bytes that are stored; the oldest are dropped.
MAX_SAVES = 32
MAX_BYTES = 8 << 20
# The most files of a save, lines of a file's diff and functions of a file that are shown.
MAX_FILES = 50
MAX_LINES = 400
MAX_FUNCTIONS = 50
# If more lines than this are between the first and the last difference, all of them are replaced:
# the time of a comparison can grow with the square of the lines.
MAX_COMPARED = 2000
# The unchanged lines around a change.
CONTEXT = 3

_Opcode = tuple[str, int, int, int, int]


class SavedFile(NamedTuple):
    """A file of a save. A new one has no `before`, a deleted one no `after`, other files none."""

    path: str
    before: bytes | None
    after: bytes | None


class SavedTexts:
    """The texts of the newest saves, by a number that counts them from 1."""

    def __init__(self) -> None:
        self._saves: OrderedDict[int, list[SavedFile]] = OrderedDict()
        self._count = 0
        self._bytes = 0

    def add(self, files: list[SavedFile]) -> int:
        """Store the files of a save; return its number."""
        self._count += 1
        self._saves[self._count] = files
        self._bytes += _size(files)
        while self._bytes > MAX_BYTES or len(self._saves) > MAX_SAVES:
            _, dropped = self._saves.popitem(last=False)
            self._bytes -= _size(dropped)
        return self._count

    def describe(self, number: str) -> dict[str, Any]:
        """Return the diff of each file of a save, without secrets."""
        files = self._saves.get(int(number))
        shown = [_describe(file) for file in (files or [])[:MAX_FILES]]
        return {"is_stored": files is not None, "files": shown}


def files_of(changes: Changes) -> list[SavedFile]:
    """Return the texts of the serving code, and the texts of the files that differ from it."""
    nodes = (*changes.changed, *changes.deleted)
    before = {node.path: node.source.content for node in nodes if node.source is not None}
    files = []
    for path in changes.paths:
        source = changes.sources.cached(path) if path.endswith(".py") else None
        files.append(SavedFile(path, before.get(path), source.content if source else None))
    return files


def _size(files: Sequence[SavedFile]) -> int:
    return sum(len(file.before or b"") + len(file.after or b"") for file in files)


def _describe(file: SavedFile) -> dict[str, Any]:
    shown: dict[str, Any] = {"file": display_path(file.path), "kind": "changed"}
    if file.before is None and file.after is None:
        return {**shown, "kind": "other", "hunks": [], "functions": [], "is_cut": False}
    if file.before is None:
        shown["kind"] = "created"
    elif file.after is None:
        shown["kind"] = "deleted"
    texts = [Source(file.path, content or b"").text for content in (file.before, file.after)]
    old, new = (_lines(text) for text in texts)
    opcodes = _compare(old, new)
    masked = [mask_source(text).lines for text in texts]
    hunks, is_cut = _hunks(opcodes, masked[0], masked[1])
    functions = list(_changed_functions(texts[0], texts[1], opcodes, old, new))
    return {**shown, "hunks": hunks, "functions": functions[:MAX_FUNCTIONS], "is_cut": is_cut}


def _lines(text: str) -> list[str]:
    lines = split_lines(text)
    return lines if lines[-1] else lines[:-1]


def _compare(old: list[str], new: list[str]) -> list[_Opcode]:
    """Return how `old` becomes `new`, as `SequenceMatcher.get_opcodes` does."""
    limit = min(len(old), len(new))
    head = next((i for i in range(limit) if old[i] != new[i]), limit)
    limit -= head
    tail = next((i for i in range(limit) if old[-1 - i] != new[-1 - i]), limit)
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    middle: list[_Opcode]
    if max(len(a), len(b)) > MAX_COMPARED:
        middle = [("replace", 0, len(a), 0, len(b))]
    else:
        middle = list(difflib.SequenceMatcher(None, a, b).get_opcodes())
    moved = [(tag, i + head, j + head, k + head, n + head) for tag, i, j, k, n in middle]
    first: _Opcode = ("equal", 0, head, 0, head)
    last: _Opcode = ("equal", len(old) - tail, len(old), len(new) - tail, len(new))
    return [first, *moved, last]


def _hunks(
    opcodes: list[_Opcode], old: list[str], new: list[str]
) -> tuple[list[list[dict[str, Any]]], bool]:
    """Group the changed lines, with the unchanged lines around them."""
    hunks: list[list[dict[str, Any]]] = []
    count = 0
    for group in _grouped(opcodes):
        lines: list[dict[str, Any]] = []
        for tag, i, j, k, n in group:
            if tag == "equal":
                lines += [
                    {"sign": " ", "before": at + 1, "after": k + at - i + 1, "text": old[at]}
                    for at in range(i, j)
                ]
                continue
            lines += [
                {"sign": "-", "before": at + 1, "after": None, "text": old[at]}
                for at in range(i, j)
            ]
            lines += [
                {"sign": "+", "before": None, "after": at + 1, "text": new[at]}
                for at in range(k, n)
            ]
        if count + len(lines) > MAX_LINES:
            hunks.append(lines[: MAX_LINES - count])
            return hunks, True
        count += len(lines)
        hunks.append(lines)
    return hunks, False


def _grouped(opcodes: list[_Opcode]) -> Iterator[list[_Opcode]]:
    """Split the opcodes where many lines are unchanged."""
    group: list[_Opcode] = []
    for index, (tag, i, j, k, n) in enumerate(opcodes):
        if tag != "equal":
            group.append((tag, i, j, k, n))
            continue
        is_last = index == len(opcodes) - 1
        has_change = any(each[0] != "equal" for each in group)
        if has_change and not is_last and j - i <= 2 * CONTEXT:
            group.append((tag, i, j, k, n))
            continue
        if has_change:
            shown = min(CONTEXT, j - i)
            yield [*group, (tag, i, i + shown, k, k + shown)]
        shown = min(CONTEXT, j - i)
        group = []
        if not is_last:
            group = [(tag, j - shown, j, n - shown, n)]


def _changed_functions(
    before: str, after: str, opcodes: list[_Opcode], old_lines: list[str], new_lines: list[str]
) -> Iterator[dict[str, Any]]:
    """Name the functions whose code differs, and the code outside of them by an empty name."""
    old, new = _functions(before), _functions(after)
    if old is None or new is None:
        return
    changed = [opcode for opcode in opcodes if opcode[0] != "equal"]
    gone = {at for _, i, j, _, _ in changed for at in range(i, j)}
    added = {at for _, _, _, k, n in changed for at in range(k, n)}
    for name, place in new.items():
        was = old.get(name)
        if was is None:
            yield {"name": name, "change": "added", "line": place.first + 1}
        elif (place.has(added) or was.has(gone)) and ast.dump(was.node) != ast.dump(place.node):
            yield {"name": name, "change": "changed", "line": place.first + 1}
    for name in old:
        if name not in new:
            yield {"name": name, "change": "removed", "line": None}
    outside = [old_lines[at] for at in gone if not any(place.has({at}) for place in old.values())]
    outside += [new_lines[at] for at in added if not any(place.has({at}) for place in new.values())]
    if any(line.strip() and not line.lstrip().startswith("#") for line in outside):
        yield {"name": "", "change": "changed", "line": None}


class _Place(NamedTuple):
    """A function and its lines, which count from 0."""

    first: int
    last: int
    node: ast.AST

    def has(self, lines: set[int]) -> bool:
        if len(lines) == 1:
            return self.first <= next(iter(lines)) <= self.last
        return any(at in lines for at in range(self.first, self.last + 1))


def _functions(text: str) -> dict[str, _Place] | None:
    """Return the functions and methods of a text, by their qualified names; None if unknown."""
    if len(text) > MAX_PARSED:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: dict[str, _Place] = {}
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                last = node.end_lineno or node.lineno
                found[prefix + node.name] = _Place(first - 1, last - 1, node)
            elif isinstance(node, ast.ClassDef):
                waiting.append((f"{prefix}{node.name}.", node))
            elif isinstance(node, (ast.If, ast.Try, ast.With)):
                waiting.append((prefix, node))
    return found
