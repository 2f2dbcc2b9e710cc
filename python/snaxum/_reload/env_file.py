"""The project's file of environment variables: `.env`, or what `env-file` names.

Owns which variables of `os.environ` come from there. The environment that the process was started
with wins over the file. Never shows a value: it may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import file_inputs, loader

Parse = Callable[[str], "list[tuple[str, str]] | tuple[int, str]"]


@dataclass
class NewVariables:
    """What the file holds now: `values`, or why it cannot be read."""

    digest: bytes | None
    values: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None


class EnvFile:
    """Puts the file's variables into `os.environ`, and others in their place when it changes.

    `parse` gives the pairs of a text, or the number of a line and what is wrong with it.
    """

    def __init__(self, path: str, parse: Parse) -> None:
        self.path = path
        self._parse = parse
        self._given = frozenset(os.environ)
        self.values: dict[str, str] = {}

    def look(self) -> NewVariables:
        """Read the file; one that is not there holds nothing."""
        found = NewVariables(file_inputs.file_digest(self.path))
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
            place = f"{loader.display_path(self.path)}:{line}"
            found.error = ValueError(f"{place} cannot be read; {problem}")
            return found
        found.values = {name: value for name, value in parsed if name not in self._given}
        return found

    def differs(self, found: NewVariables) -> bool:
        """Tell whether `found` is something else than what is in force."""
        return found.error is not None or found.values != self.values

    @contextmanager
    def put(self, found: NewVariables) -> Iterator[None]:
        """Put other values in force; an exception within takes them back."""
        before, self.values = self.values, found.values
        replace(before, found.values)
        try:
            yield
        except BaseException:
            replace(found.values, before)
            self.values = before
            raise

    def reason(self, found: NewVariables) -> str:
        """Say which variables differ, by name."""
        both = {*self.values, *found.values}
        names = sorted(n for n in both if self.values.get(n) != found.values.get(n))
        return f"{loader.display_path(self.path)} changed: {', '.join(names)}"

    @contextmanager
    def _hidden(self) -> Iterator[None]:
        # `$NAME` in the file stands for the new value, and not for the one that is in force. The
        # user's code sees `os.environ`, which does not look at the process's environment again.
        for name in self.values:
            os.unsetenv(name)
        try:
            yield
        finally:
            for name in self.values:
                if name in os.environ:
                    os.putenv(name, os.environ[name])


def replace(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Exchange variables in `os.environ`."""
    for name in before:
        if name not in after:
            os.environ.pop(name, None)
    for name, value in after.items():
        if before.get(name) != value:
            os.environ[name] = value
