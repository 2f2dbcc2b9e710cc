"""Masks secrets in source text: literals assigned to secret names, and values of secret variables.

Owns the text of source lines that are shown. Reads the syntax tree; of a text that does not parse,
and of comments, only `name = literal`. Never changes the number of lines.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .._core.late_module import late_module
from .._core.late_regex import late
from .._core.records import record
from .redact import MASK, Span, is_secret, known_values, mask_text, secret_spans, short_values

if TYPE_CHECKING:
    import ast
else:
    ast = late_module("ast")

# A larger text is not parsed.
MAX_PARSED = 1 << 20
# Calls that pass a literal on; what other calls return is not the literal.
_WRAPPERS = frozenset(
    ["Secret", "SecretBytes", "SecretStr", "b64decode", "bytearray", "bytes", "decode", "encode"]
)
# Calls whose first argument is a name and whose second is a default.
_LOOKUPS = frozenset(["get", "getenv", "pop", "setdefault"])
_STRING = (
    r"""[bBrRuUfF]{0,2}(?:'''(?:[^\\]|\\[\s\S])*?(?:'''|\Z)|"{3}(?:[^\\]|\\[\s\S])*?(?:"{3}|\Z)|"""
    r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
)
_LITERAL = late(r"""[bBrRuUfF]{0,2}('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""")
# `name = literal`, `name: type = literal`, `name := literal` and `"name": literal`.
_ASSIGNED = late(
    rf"""(?:\b|['"])([^\W\d][\w-]*)['"]?\]?\s*(?::\s*[\w.\[\], |]+?\s*)?(?::=|[:=])[\s(]*"""
    rf"""({_STRING}|\d[\w.]+)"""
)
_FIRST_LINES = late(r"\r\n|\r|\n")


@record(eq=False, repr=False)
class MaskedSource:
    """The lines of a source text, and where each was masked, by its index."""

    lines: list[str]
    masked: dict[int, list[Span]]

    def column(self, index: int, column: int | None) -> int | None:
        """Return where a column of the original line is in the masked line."""
        if column is None:
            return None
        shift = 0
        for start, end in self.masked.get(index, ()):
            if column >= end:
                shift += len(MASK) - (end - start)
            elif column > start:
                return start + shift
        return column + shift


def split_lines(text: str) -> list[str]:
    """Split as Python's parser does: a form feed or U+2028 does not end a line."""
    return _FIRST_LINES.split(text)


def mask_source(text: str) -> MaskedSource:
    """Return the lines of a source text without its secrets."""
    return _mask_source(text, known_values(), short_values())


def mask_lines(text: str, sources: Iterable[MaskedSource], originals: Iterable[list[str]]) -> str:
    """Mask in a traceback as Python prints it the lines that are masked in its sources."""
    replaced: dict[str, str] = {}
    for source, lines in zip(sources, originals, strict=True):
        for index in source.masked:
            if index < len(lines):
                replaced[lines[index].strip()] = source.lines[index].strip()
    if not replaced:
        return text
    shown: list[str] = []
    was_masked = False
    for line in text.split("\n"):
        if was_masked and line.strip() and not line.strip(" ~^"):
            continue  # it marks columns of the original line
        masked = replaced.get(line.strip())
        was_masked = masked is not None
        indent = line[: len(line) - len(line.lstrip())]
        shown.append(line if masked is None else indent + masked)
    return "\n".join(shown)


def mask_printed_line(text: str) -> str:
    """Mask a printed line, which may be a source line of a traceback: those are indented."""
    if text.startswith("    "):
        spans = _assigned(text, 0)
        for literal in _LITERAL.finditer(text):
            if literal[1][1:-1] in short_values():
                spans.append(literal.span())
        text = _replaced(text, _merged(spans))
    return mask_text(text)


@functools.lru_cache(maxsize=64)
def _mask_source(text: str, _known: tuple[str, ...], short: frozenset[str]) -> MaskedSource:
    lines = split_lines(text)
    offsets = [0]
    for ending in _FIRST_LINES.finditer(text):
        offsets.append(ending.end())
    spans = secret_spans(text)
    tree = _parse(text)
    if tree is None:
        spans += _assigned(text, 0)
    else:
        for literal in _literals_of_secrets(tree, short):
            spans.append(_span(literal, lines, offsets))
        for line, offset in zip(lines, offsets, strict=True):
            if (comment := line.find("#")) >= 0:
                spans += _assigned(line[comment:], offset + comment)
    if not spans:
        return MaskedSource(lines, {})
    masked: dict[int, list[Span]] = {}
    for index, (line, offset) in enumerate(zip(lines, offsets, strict=True)):
        within = _merged(
            (max(start - offset, 0), min(end - offset, len(line)))
            for start, end in spans
            if start < offset + len(line) and end > offset
        )
        if within:
            masked[index] = within
            lines[index] = _replaced(line, within)
    return MaskedSource(lines, masked)


def _assigned(text: str, offset: int) -> list[Span]:
    return [
        (found.start(2) + offset, found.end(2) + offset)
        for found in _ASSIGNED.finditer(text)
        if is_secret(found[1])
    ]


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif end > start:
            merged.append((start, end))
    return merged


def _replaced(line: str, spans: list[Span]) -> str:
    parts, done = [], 0
    for start, end in spans:
        parts += [line[done:start], MASK]
        done = end
    return "".join([*parts, line[done:]])


def _parse(text: str) -> ast.Module | None:
    if len(text) > MAX_PARSED:
        return None
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning):
        return None


def _span(node: ast.expr, lines: list[str], offsets: list[int]) -> Span:
    """Return the span of a node in the text; its columns count UTF-8 bytes."""

    def place(line: int, column: int) -> int:
        before = lines[line - 1].encode("utf-8", "replace")[:column]
        return offsets[line - 1] + len(before.decode("utf-8", "replace"))

    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return place(node.lineno, node.col_offset), place(end_line, end_column)


def _literals_of_secrets(tree: ast.Module, short: frozenset[str]) -> Iterator[ast.expr]:
    """Yield each literal that is assigned to a secret name, or equals a secret variable."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, (str, bytes)) and _text(node.value) in short:
                yield node
            continue
        for name, value in _assignments(node):
            if value is not None and _names_secret(name):
                yield from _literals(value)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _assignments(node: ast.AST) -> Iterator[tuple[ast.AST | str | None, ast.expr | None]]:
    """Yield each name with its value."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        yield node.target, node.value
    elif isinstance(node, ast.keyword):
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        yield from zip(node.keys, node.values, strict=True)
    elif isinstance(node, (ast.Tuple, ast.List)) and len(node.elts) == 2:
        yield node.elts[0] if isinstance(node.elts[0], ast.Constant) else None, node.elts[1]
    elif isinstance(node, ast.Call):
        for first, second in zip(node.args, node.args[1:], strict=False):
            yield first if isinstance(first, ast.Constant) else None, second
    elif isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        with_default = positional[len(positional) - len(node.defaults) :]
        yield from (
            (arg.arg, value) for arg, value in zip(with_default, node.defaults, strict=True)
        )
        keyword_only = zip(node.kwonlyargs, node.kw_defaults, strict=True)
        yield from ((arg.arg, value) for arg, value in keyword_only)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, (ast.Tuple, ast.List)):
        if isinstance(value, (ast.Tuple, ast.List)) and len(target.elts) == len(value.elts):
            for each, part in zip(target.elts, value.elts, strict=True):
                yield from _pairs(each, part)
        else:
            yield from ((each, value) for each in target.elts)
    else:
        yield target, value


def _names_secret(name: ast.AST | str | None) -> bool:
    if isinstance(name, ast.Name):
        name = name.id
    elif isinstance(name, ast.Attribute):
        name = name.attr
    elif isinstance(name, ast.Subscript):
        name = name.slice
    if isinstance(name, ast.Constant):
        name = name.value if isinstance(name.value, str) else None
    return isinstance(name, str) and len(name) <= 200 and is_secret(name)


def _literals(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the literals that a value consists of."""
    waiting = [value]  # not by recursion: a sum may be deep
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Constant):
            number = type(part.value) in (int, float, complex) and abs(part.value) > 9  # type: ignore[arg-type]
            if number or (isinstance(part.value, (str, bytes)) and part.value):
                yield part
        elif isinstance(part, ast.JoinedStr):
            if any(isinstance(each, ast.Constant) for each in part.values):
                yield part
        else:
            waiting += _parts(part)


def _parts(value: ast.expr) -> Iterable[ast.expr]:
    """Return the expressions whose literals a value may consist of."""
    if isinstance(value, ast.BinOp):
        return value.left, value.right
    if isinstance(value, (ast.BoolOp, ast.Dict)):
        return value.values
    if isinstance(value, ast.IfExp):
        return value.body, value.orelse
    if isinstance(value, (ast.Tuple, ast.List, ast.Set)):
        return value.elts
    if isinstance(value, ast.UnaryOp):
        return (value.operand,)
    if isinstance(value, (ast.Starred, ast.Subscript, ast.NamedExpr)):
        return (value.value,)
    return _passed_on(value) if isinstance(value, ast.Call) else ()


def _passed_on(call: ast.Call) -> Iterator[ast.expr]:
    function = call.func
    name = ""
    if isinstance(function, ast.Attribute):
        name = function.attr
        yield function.value
    elif isinstance(function, ast.Name):
        name = function.id
    if name in _WRAPPERS:
        yield from call.args
    elif name in _LOOKUPS:
        yield from call.args[1:]
