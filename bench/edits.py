"""Edits a program as a developer does, and makes it the size of a real one.

Knows files, not servers. Works on copies only: the programs of `peers/` stay as they are.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

PATH = "/python/hello"
MODULES = 300
APPLICATION_MODULES = 20
HEAVY = ("numpy", "pandas", "polars")

_MESSAGE = re.compile(r'"message": *"([^"]*)"')
_FIRST_IMPORT = "\nfrom typing import Any\n"
_PART = '''"""One of the many modules of a project: it is imported, and not edited."""

from dataclasses import dataclass

LIMIT = {number}


@dataclass(frozen=True)
class Item{number}:
    name: str
    amount: int = LIMIT


def total(items: list[Item{number}]) -> int:
    """The sum of their amounts, at most LIMIT each."""
    return sum(min(item.amount, LIMIT) for item in items)
'''

_ROUTER = '''"""A router of an application, with its model and its table: it is not edited."""

from database import Base, engine
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

router = APIRouter(prefix="/items{number}")


class Item{number}(BaseModel):
    name: str
    amount: int = {number}


class Row{number}(Base):
    __tablename__ = "items{number}"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    amount: Mapped[int]


@router.get("/")
def items() -> list[Item{number}]:
    with Session(engine) as session:
        rows = session.scalars(select(Row{number})).all()
    return [Item{number}(name=row.name, amount=row.amount) for row in rows]


@router.post("/")
def create(item: Item{number}) -> Item{number}:
    with Session(engine) as session, session.begin():
        session.add(Row{number}(name=item.name, amount=item.amount))
    return item
'''


@dataclass(frozen=True)
class Saved:
    """When a save began, before the file was opened, and when it was closed."""

    value: str
    began: float
    closed: float


class Source:
    """The file with the constant that is edited."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = count(1)
        self._good = path.read_text()

    def save(self) -> Saved:
        """Give the constant a value that it never had."""
        number = next(self._numbers)
        # Its length differs from the last: `.pyc` files are compared by second and size.
        value = f"v{number}" + "-" * (number % 7)
        self._good, edited = _MESSAGE.subn(f'"message": "{value}"', self._good)
        if edited != 1:
            raise ValueError(f"{edited} constants in {self._path.name} instead of one")
        return self._write(value, self._good)

    def break_(self) -> Saved:
        """Save text that is not Python; the next `save` corrects it."""
        return self._write("", self._good + "\ndef broken(:\n")

    def text(self) -> str:
        """As it was when it was last whole."""
        return self._good

    def _write(self, value: str, text: str) -> Saved:
        began = time.perf_counter()
        with open(self._path, "w") as file:
            file.write(text)
        return Saved(value, began, time.perf_counter())


def message(body: bytes) -> str:
    """The constant in a response; empty if there is none."""
    found = _MESSAGE.search(body.decode(errors="replace"))
    return found[1] if found else ""


def heavy(edited: Path) -> None:
    """Import what a data scientist imports."""
    _insert(edited, "".join(f"import {name}\n" for name in HEAVY))


def many_modules(edited: Path) -> None:
    """Make it one of MODULES modules, and import them."""
    parts = edited.parent / "parts"
    parts.mkdir()
    # The edited one and the package itself count.
    names = [f"part_{number:03}" for number in range(MODULES - 2)]
    for number, name in enumerate(names):
        (parts / f"{name}.py").write_text(_PART.format(number=number))
    (parts / "__init__.py").write_text("".join(f"from . import {name}\n" for name in names))
    _insert(edited, "import parts\n")


def light(edited: Path) -> None:
    """Leave it small."""


def application(edited: Path) -> None:
    """Make it one of APPLICATION_MODULES modules of an application of FastAPI."""
    parts = edited.parent / "parts"
    parts.mkdir()
    # There are `app`, `database`, `greeting`, `live`, and the package itself.
    names = [f"part_{number:02}" for number in range(APPLICATION_MODULES - 5)]
    for number, name in enumerate(names):
        (parts / f"{name}.py").write_text(_ROUTER.format(number=number))
    imports = "".join(f"from . import {name}\n" for name in names)
    routers = ", ".join(f"{name}.router" for name in names)
    (parts / "__init__.py").write_text(f"{imports}\nROUTERS = ({routers})\n")


VARIANTS: dict[str, Callable[[Path], None]] = {
    "light": light,
    "heavy": heavy,
    f"{MODULES} modules": many_modules,
}

APPLICATION = f"FastAPI, {APPLICATION_MODULES} modules"
PREPARATIONS = {**VARIANTS, APPLICATION: application}


def _insert(edited: Path, imports: str) -> None:
    text = edited.read_text()
    if _FIRST_IMPORT not in text:
        raise ValueError(f"no `{_FIRST_IMPORT.strip()}` in {edited.name} to put imports before")
    edited.write_text(text.replace(_FIRST_IMPORT, f"\n{imports}{_FIRST_IMPORT[1:]}", 1))
