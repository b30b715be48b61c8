"""A wrong resource stops the start: the error names the author's line, the fault and the hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import pytest

from services.catalogue import Catalogue, DeclarationError, Identifier, Policy, ReadModel, Resource, everyone, nobody
from tests.support.library import OPEN, Book, BookRead, Shelf, expect_fault, shelf


class PlainKeyRead(ReadModel):
    """A book whose key has no prefix."""

    id: UUID


class NamelessRead(ReadModel):
    """A book without an identifier."""

    title: str


class PricedRead(ReadModel):
    """A book with a column that there is not."""

    id: Annotated[UUID, Identifier("bok")]
    price: int


class OddRead(ReadModel):
    """A book of a type that no face knows."""

    id: Annotated[UUID, Identifier("bok")]
    title: complex


class VersionedRead(ReadModel):
    """A book with what every row has."""

    id: Annotated[UUID, Identifier("bok")]
    etag: str


class TaggedRead(ReadModel):
    """A book with a list, which cannot be filtered."""

    id: Annotated[UUID, Identifier("bok")]
    title: list[str]


def declare(**options: Any) -> Callable[[], object]:
    """Declares books with these options, on one marked line."""

    def wrong() -> object:
        given = {"model": Book, "read": BookRead, "prefix": "bok", "policy": OPEN, **options}
        return Resource("book", **given)  # here

    return wrong


RESOURCES: dict[str, tuple[dict[str, Any], str, str]] = {
    "read model names no column": (
        {"read": PricedRead},
        'book: its read model names "price", which is not a column of Book.',
        'Use one of: "id", "isbn_id", "shelf_id", "title".',
    ),
    "field has the name of the version": (
        {"read": VersionedRead},
        "book: VersionedRead.etag has the name of what GraphQL calls the version of every row.",
        "Give the field another name.",
    ),
    "filter is no field": (
        {"filters": ["title", "isbn_id"]},
        'book: filters names "isbn_id", which is not a field of the read model that can be filtered.',
        'Use one of: "id", "shelf_id", "title".',
    ),
    "filter on a list": (
        {"read": TaggedRead, "filters": ["title"]},
        'book: filters names "title", which is not a field of the read model that can be filtered.',
        'Use one of: "id".',
    ),
    "sort is no field": (
        {"sorts": ["pages"]},
        'book: sorts names "pages", which is not a field of the read model that can be sorted.',
        'Use one of: "id", "shelf_id", "title".',
    ),
    "search is no column": (
        {"search": ["blurb"]},
        'book: search names "blurb", which is not a column of Book.',
        'Use one of: "id", "isbn_id", "shelf_id", "title".',
    ),
    "search without vector": (
        {"search": ["title"]},
        "book: search needs the column Book.search_vector.",
        "Add search_vector: Mapped[str] = search_vector(…) of services.storage.base and its index.",
    ),
    "mask is no field": (
        {"policy": Policy(read=everyone, masks={"price": nobody})},
        'book: masks names "price", which is not a field of the read model.',
        'Use one of: "id", "shelf_id", "title".',
    ),
    "masked field is never null": (
        {"policy": Policy(read=everyone, masks={"title": nobody})},
        'book: the masked field "title" cannot be null.',
        "Let BookRead.title be … | None.",
    ),
    "no policy": (
        {"policy": None},
        "book: it has no policy.",
        "Pass policy=…, were it only Policy(read=everyone).",
    ),
    "prefix in capitals": (
        {"prefix": "BOK"},
        'book: the prefix "BOK" is not 2 to 8 lower-case letters.',
        "Choose another prefix.",
    ),
    "prefix too short": (
        {"prefix": "b"},
        'book: the prefix "b" is not 2 to 8 lower-case letters.',
        "Choose another prefix.",
    ),
    "id of another prefix": (
        {"prefix": "bk"},
        'book: BookRead.id is not an identifier with the prefix "bk".',
        'Declare id: Annotated[UUID, Identifier("bk")].',
    ),
    "no id": (
        {"read": NamelessRead},
        'book: NamelessRead.id is not an identifier with the prefix "bok".',
        'Declare id: Annotated[UUID, Identifier("bok")].',
    ),
    "id without identifier": (
        {"read": PlainKeyRead},
        "book: PlainKeyRead: the type <class 'uuid.UUID'> is not in the table of scalars (a UUID needs an Identifier).",
        "Use a type of services/catalogue/scalars.py.",
    ),
    "type that no face knows": (
        {"read": OddRead},
        "book: OddRead: the type <class 'complex'> is not in the table of scalars (a UUID needs an Identifier).",
        "Use a type of services/catalogue/scalars.py.",
    ),
}


@pytest.mark.parametrize("case", RESOURCES)
def test_wrong_resource_names_its_line_and_the_mend(case: str) -> None:
    options, fault, hint = RESOURCES[case]
    expect_fault(declare(**options), fault, hint)


DUPLICATES: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": "shelf", "plural": "racks", "prefix": "rck"}, 'shelf: its name "shelf"'),
    "plural": ({"name": "rack", "plural": "shelfs", "prefix": "rck"}, 'rack: its plural "shelfs"'),
    "prefix": ({"name": "book"}, 'book: its prefix "shf"'),
    "table": ({"name": "rack", "model": Shelf, "prefix": "rck"}, 'rack: its table "shelves"'),
}


@pytest.mark.parametrize("what", DUPLICATES)
def test_two_resources_alike_are_refused(what: str) -> None:
    options, fault = DUPLICATES[what]
    first = shelf()

    class Same(ReadModel):
        """Whatever is there."""

        id: Annotated[UUID, Identifier(options.get("prefix", "shf"))]

    def wrong() -> object:
        given = {"model": Book, "prefix": "shf", "read": Same, "policy": OPEN, **options}
        return Catalogue([first, Resource(**given)], [])  # here

    expect_fault(wrong, f"{fault} is that of the resource at {first.location} already.", f"Give it another {what}.")


def test_one_word_for_one_and_many_is_refused() -> None:
    """Both faces would have two things under one name: `sheep(id:)` and `sheep(first:)`."""

    sheep = Resource("sheep", plural="sheep", model=Book, read=BookRead, prefix="bok", policy=OPEN)
    with pytest.raises(DeclarationError, match="plural"):
        Catalogue([sheep, shelf()], [sheep.list(), sheep.get()])


def test_name_in_capitals_is_refused() -> None:
    def wrong() -> object:
        return Catalogue([Resource("Book", model=Book, read=BookRead, prefix="bok", policy=OPEN)], [])  # here

    expect_fault(wrong, "Book: the name is not lower-case words joined by underscores.", "Choose another name.")
