"""The project's file of environment variables: `.env`, or the file that `env-file` names.

Owns the variables of `os.environ` that come from the file. The environment of the process at its
start has priority over the file. Never shows a value: it may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from .file_inputs import file_digest
from .user_paths import display_path

Parse = Callable[[str], "list[tuple[str, str]] | tuple[int, str]"]


@dataclass
class NewVariables:
    """The current content of the file: `values`, or the `error` that reading it raised."""

    digest: bytes | None
    values: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None


class EnvFile:
    """Puts the file's variables into `os.environ`, and replaces them when the file changes.

    `parse` returns the pairs in a text, or the number of an invalid line and its error.
    """

    def __init__(self, path: str, parse: Parse) -> None:
        self.path = path
        self._parse = parse
        self._inherited = frozenset(os.environ)
        self.values: dict[str, str] = {}

    def read(self) -> NewVariables:
        """Read the file; a missing file has no variables."""
        found = NewVariables(file_digest(self.path))
        try:
            with open(self.path, encoding="utf-8-sig") as file:
                text = file.read()
        except FileNotFoundError:
            return found
        except (OSError, ValueError) as error:
            found.error = error
            return found
        with self._hidden():
            parsed = self._parse(text)
        if isinstance(parsed, tuple):
            line, problem = parsed
            place = f"{display_path(self.path)}:{line}"
            found.error = ValueError(f"{place} cannot be read; {problem}")
            return found
        found.values = {name: value for name, value in parsed if name not in self._inherited}
        return found

    def differs(self, found: NewVariables) -> bool:
        """Report whether `found` differs from the active variables."""
        return found.error is not None or found.values != self.values

    @contextmanager
    def activate(self, found: NewVariables) -> Iterator[None]:
        """Replace the active variables; an exception within the block restores them."""
        before, self.values = self.values, found.values
        replace_variables(before, found.values)
        try:
            yield
        except BaseException:
            replace_variables(found.values, before)
            self.values = before
            raise

    def reason(self, found: NewVariables) -> str:
        """Describe the change: the names of the variables that differ."""
        both = {*self.values, *found.values}
        names = sorted(n for n in both if self.values.get(n) != found.values.get(n))
        return f"{display_path(self.path)} changed: {', '.join(names)}"

    @contextmanager
    def _hidden(self) -> Iterator[None]:
        # `$NAME` in the file stands for the new value, not for the active one. The user's code
        # sees `os.environ`, which never reads the environment of the process again.
        for name in self.values:
            os.unsetenv(name)
        try:
            yield
        finally:
            for name in self.values:
                if name in os.environ:
                    os.putenv(name, os.environ[name])


def replace_variables(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Replace the variables `before` by `after` in `os.environ`."""
    for name in before:
        if name not in after:
            os.environ.pop(name, None)
    for name, value in after.items():
        if before.get(name) != value:
            os.environ[name] = value
