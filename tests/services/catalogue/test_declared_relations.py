"""A wrong relation stops the start: the error names the author's line, the fault and the hint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import pytest

from services.catalogue import Catalogue, Identifier, ReadModel, Resource, many, one
from tests.support.library import OPEN, Book, Lending, Loose, book, expect_fault, shelf


class WrongPrefixRead(ReadModel):
    """A book whose shelf is called something else."""

    id: Annotated[UUID, Identifier("bok")]
    shelf_id: Annotated[UUID, Identifier("usr")]


def relation_without_column() -> object:
    return Catalogue([shelf(), book(relations=[one("author")])], [])  # here


def relation_over_a_plain_column() -> object:
    return Catalogue([shelf(), book(relations=[one("isbn")])], [])  # here


def relation_to_an_unknown_resource() -> object:
    return Catalogue([book(relations=[one("shelf")])], [])  # here


def relation_through_two_keys() -> object:
    return Catalogue([shelf(), book(relations=[many("shelfs", through=Lending)])], [])  # here


def relation_through_no_key() -> object:
    return Catalogue([shelf(), book(relations=[many("shelfs", through=Loose)])], [])  # here


def relation_through_an_unknown_resource() -> object:
    return Catalogue([book(relations=[many("shelfs", through=Lending)])], [])  # here


def relation_named_like_a_field() -> object:
    return Catalogue([shelf(), book(relations=[one("shelf", reverse="name")])], [])  # here


def relation_named_like_the_version() -> object:
    return Catalogue([shelf(), book(relations=[one("shelf", reverse="etag")])], [])  # here


def relation_named_twice() -> object:
    return Catalogue([shelf(), book(relations=[one("shelf"), one("shelf")])], [])  # here


def reference_with_another_prefix() -> object:
    return Catalogue(
        [
            shelf(),
            Resource(  # here
                "book",
                model=Book,
                read=WrongPrefixRead,
                prefix="bok",
                policy=OPEN,
                relations=[one("shelf")],
            ),
        ],
        [],
    )


RELATIONS: dict[Callable[[], object], tuple[str, str]] = {
    relation_without_column: (
        'book: the relation "author" leads nowhere: Book has no column "author_id".',
        'Name it after a foreign key: "shelf_id".',
    ),
    relation_over_a_plain_column: (
        'book: the relation "isbn" leads nowhere: "isbn_id" points at no table, of which no resource is known.',
        "Declare a resource of that table, add its package to MODULES, or drop the relation.",
    ),
    relation_to_an_unknown_resource: (
        'book: the relation "shelf" leads nowhere: "shelf_id" points at shelves, of which no resource is known.',
        "Declare a resource of that table, add its package to MODULES, or drop the relation.",
    ),
    relation_through_two_keys: (
        'relation "shelfs": the table "lendings" has 2 foreign keys to "shelves".',
        "Let the association table have exactly one to each side.",
    ),
    relation_through_no_key: (
        'relation "shelfs": the table "loose" has 0 foreign keys to "books".',
        "Let the association table have exactly one to each side.",
    ),
    relation_through_an_unknown_resource: (
        'book: the relation "shelfs" leads nowhere through the table "lendings".',
        "Name it after the plural of a resource that the association table points at.",
    ),
    relation_named_like_a_field: (
        'shelf: there is a field or relation "name" already.',
        "Give the relation, or its reverse, another name.",
    ),
    relation_named_like_the_version: (
        'shelf: there is a field or relation "etag" already.',
        "Give the relation, or its reverse, another name.",
    ),
    relation_named_twice: (
        'book: there is a field or relation "shelf" already.',
        "Give the relation, or its reverse, another name.",
    ),
    reference_with_another_prefix: (
        'book: the field "shelf_id" has the prefix "usr", but points at shelfs.',
        'Use the identifier with the prefix "shf".',
    ),
}


@pytest.mark.parametrize("wrong", RELATIONS, ids=lambda wrong: wrong.__name__)
def test_wrong_relation_names_its_line_and_the_mend(wrong: Callable[[], object]) -> None:
    expect_fault(wrong, *RELATIONS[wrong])


def test_relation_and_its_reverse_are_found_on_either_side() -> None:
    found = Catalogue([book(relations=[one("shelf", reverse="books")]), shelf()], []).resources
    books, shelves = found["book"], found["shelf"]
    forth, back = books.relations["shelf"], shelves.relations["books"]
    assert (forth.many, forth.source, forth.target, forth.local, forth.remote) == (
        False, books, shelves, "shelf_id", "id",
    )  # fmt: skip
    assert (back.many, back.source, back.target, back.local, back.remote) == (True, shelves, books, "id", "shelf_id")


def test_another_catalogue_leaves_the_first_one_as_it_is() -> None:
    books, shelves = book(relations=[one("shelf", reverse="books")]), shelf()
    first = Catalogue([books, shelves], [])
    second = Catalogue([shelves], [])
    assert set(first.resources["shelf"].relations) == {"books"}
    assert set(second.resources["shelf"].relations) == set()
