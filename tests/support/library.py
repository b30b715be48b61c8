"""A little library to declare rightly and wrongly: tables of their own, apart from the gateway's, never created."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.catalogue import DeclarationError, Identifier, Policy, ReadModel, Resource, everyone

ROOT = Path(__file__).parents[2]

OPEN = Policy(read=everyone)


class Tables(DeclarativeBase):
    """Tables of the library, apart from the gateway's."""


class Shelf(Tables):
    """Where books stand."""

    __tablename__ = "shelves"
    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    name: Mapped[str]


class Book(Tables):
    """Something to read."""

    __tablename__ = "books"
    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)
    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"))
    title: Mapped[str]
    isbn_id: Mapped[str | None]


class Lending(Tables):
    """Books to shelves, twice."""

    __tablename__ = "lendings"
    book_id: Mapped[UUID] = mapped_column(ForeignKey("books.id"), primary_key=True)
    from_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"), primary_key=True)
    to_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"), primary_key=True)


class Loose(Tables):
    """An association with nothing to associate."""

    __tablename__ = "loose"
    id: Mapped[UUID] = mapped_column(Uuid(), primary_key=True)


class ShelfRead(ReadModel):
    """A shelf."""

    id: Annotated[UUID, Identifier("shf")]
    name: str


class BookRead(ReadModel):
    """A book."""

    id: Annotated[UUID, Identifier("bok")]
    shelf_id: Annotated[UUID, Identifier("shf")]
    title: str


def shelf(**options: Any) -> Resource[Shelf]:
    """The resource of shelves."""
    return Resource("shelf", **{"model": Shelf, "read": ShelfRead, "prefix": "shf", "policy": OPEN, **options})


def book(**options: Any) -> Resource[Book]:
    """The resource of books."""
    return Resource("book", **{"model": Book, "read": BookRead, "prefix": "bok", "policy": OPEN, **options})


def expect_fault(wrong: Callable[[], object], fault: str, hint: str) -> None:
    """Calling it must be refused with these words, and with the line of its source that is marked `# here`."""
    lines, first = inspect.getsourcelines(wrong)
    marked = [first + index for index, line in enumerate(lines) if line.rstrip().endswith("# here")]
    assert len(marked) == 1
    with pytest.raises(DeclarationError) as caught:
        wrong()
    error = caught.value
    assert error.fault == fault, error.fault
    assert error.hint == hint, error.hint
    file = Path(inspect.getsourcefile(wrong) or "")
    assert (Path(error.location.file), error.location.line) == (file, marked[0])
    assert str(error) == f"{file.relative_to(ROOT)}:{marked[0]}: {fault} Hint: {hint}"
