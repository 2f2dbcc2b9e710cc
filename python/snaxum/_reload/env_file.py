"""The project's file of environment variables: `.env`, or the file that `env-file` names.

Owns the variables of `os.environ` that come from the file. The environment of the process at its
start has priority over the file. Never shows a value: it may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .._core.records import field, record
from .file_inputs import file_digest
from .user_paths import display_path

# The variables that a file has set in this process, removed ones included.
_names: set[str] = set()


@record(eq=False, repr=False)
class NewVariables:
    """The current content of the file, or the `error` that reading it raised."""

    digest: bytes | None
    values: dict[str, str] = field(default_factory=dict)
    # One for each line without a meaning.
    warnings: list[str] = field(default_factory=list)
    error: Exception | None = None


class EnvFile:
    """Puts the file's variables into `os.environ`, and replaces them when the file changes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._inherited = frozenset(os.environ)
        self.values: dict[str, str] = {}
        self._warnings: list[str] = []

    def read(self) -> NewVariables:
        """Read the file; a missing file has no variables."""
        found = NewVariables(file_digest(self.path))
        try:
            with open(self.path, "rb") as file:
                content = file.read()
        except FileNotFoundError:
            return found
        except OSError as error:
            found.error = error
            return found
        from . import dotenv

        # `${NAME}` stands for the new value of the file, not for the active one.
        environment = {n: value for n, value in os.environ.items() if n not in self.values}
        parsed = dotenv.parse(content, environment)
        found.values = {n: value for n, value in parsed.values.items() if n not in self._inherited}
        path = display_path(self.path)
        found.warnings = [f"{path}:{line} {problem}" for line, problem in parsed.problems]
        return found

    def differs(self, found: NewVariables) -> bool:
        """Report whether `found` differs from the active variables."""
        return (
            found.error is not None
            or found.values != self.values
            or found.warnings != self._warnings
        )

    @contextmanager
    def activate(self, found: NewVariables) -> Iterator[None]:
        """Replace the active variables; an exception within the block restores them."""
        before, self.values = self.values, found.values
        replace_variables(before, found.values)
        try:
            yield
            self._warnings = found.warnings
        except BaseException:
            replace_variables(found.values, before)
            self.values = before
            raise

    def reason(self, found: NewVariables) -> str:
        """Describe the change: the names of the variables that differ."""
        both = {*self.values, *found.values}
        names = sorted(n for n in both if self.values.get(n) != found.values.get(n))
        return f"{display_path(self.path)} changed" + (f": {', '.join(names)}" if names else "")


def replace_variables(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Replace the variables `before` by `after` in `os.environ`."""
    for name in before:
        if name not in after:
            os.environ.pop(name, None)
    _names.update(after)
    for name, value in after.items():
        if before.get(name) != value:
            os.environ[name] = value


def environment_without_file() -> dict[str, str]:
    """Return the variables for a new process that gets the file's later."""
    # A copy of the mapping inside: another thread may set a variable meanwhile.
    copied: dict[bytes, bytes] = os.environ._data.copy()  # type: ignore[attr-defined]
    environment = {os.fsdecode(name): os.fsdecode(value) for name, value in copied.items()}
    return {name: value for name, value in environment.items() if name not in _names}
