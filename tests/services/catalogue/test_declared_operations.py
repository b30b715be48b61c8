"""A wrong operation, or a wrong list of packages, stops the start: the error names the line, the fault and the hint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.catalogue import Call, Catalogue, DeclarationError, InputModel, ResultModel, procedure
from services.catalogue.catalogue import HandWritten
from tests.support.library import Book, Lending, Shelf, book, expect_fault, shelf

BOOKS, SHELVES = book(), shelf()


class BookCreate(InputModel):
    """A new book."""

    title: str


class VersionedUpdate(InputModel):
    """A change that says for itself which version it is of."""

    expected_version: str


class OddCreate(InputModel):
    """A book of a type that no face knows."""

    title: complex


class OddResult(ResultModel):
    """A result of a type that no face knows."""

    weight: float


def not_async() -> object:
    @BOOKS.create()  # type: ignore[arg-type]  # here
    def create_book(call: Call, data: BookCreate) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def without_call() -> object:
    @BOOKS.create()  # here
    async def create_book(data: BookCreate) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def call_of_another_type() -> object:
    @BOOKS.create()  # here
    async def create_book(call: str, data: BookCreate) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def without_annotations() -> object:
    @BOOKS.create()  # here
    async def create_book(call, data):  # type: ignore[no-untyped-def]
        """Add a book."""

    return create_book


def without_result() -> object:
    @BOOKS.create()  # here
    async def create_book(call: Call, data: BookCreate):  # type: ignore[no-untyped-def]
        """Add a book."""

    return create_book


def with_more_parameters() -> object:
    @BOOKS.create()  # here
    async def create_book(call: Call, data: BookCreate, twice: bool) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def update_without_row() -> object:
    @BOOKS.update()  # here
    async def update_book(call: Call, data: BookCreate) -> Book:  # type: ignore[empty-body]
        """Change a book."""

    return update_book


def data_of_a_plain_type() -> object:
    @BOOKS.create()  # here
    async def create_book(call: Call, data: dict[str, Any]) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def input_that_no_face_can_take() -> object:
    @BOOKS.create()  # here
    async def create_book(call: Call, data: OddCreate) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    return create_book


def result_with_a_field_that_no_face_can_show() -> object:
    @procedure("books/weigh", scope="")  # here
    async def weigh(call: Call) -> OddResult:  # type: ignore[empty-body]
        """Weigh all books."""

    return weigh


def without_docstring() -> object:
    @BOOKS.action("burn")  # here
    async def burn_book(call: Call, row: Book) -> None: ...

    return burn_book


def wrong_form(name: str, parameters: str) -> tuple[str, str]:
    return (
        f"{name}: its function has not the form of an operation.",
        f"Write async def {name}({parameters}) with annotations: call: Call first, data: an InputModel, the result.",
    )


FUNCTIONS: dict[Callable[[], object], tuple[str, str]] = {
    not_async: wrong_form("create_book", "call, data"),
    without_call: wrong_form("create_book", "call, data"),
    call_of_another_type: wrong_form("create_book", "call, data"),
    without_annotations: wrong_form("create_book", "call, data"),
    without_result: wrong_form("create_book", "call, data"),
    with_more_parameters: wrong_form("create_book", "call, data"),
    update_without_row: wrong_form("update_book", "call, row, data"),
    data_of_a_plain_type: ("create_book: data is not an InputModel.", "Derive its type from InputModel."),
    input_that_no_face_can_take: (
        "create_book: the type <class 'complex'> is not in the table of scalars (a UUID needs an Identifier).",
        "Use a type of services/catalogue/scalars.py.",
    ),
    result_with_a_field_that_no_face_can_show: (
        "weigh: the type <class 'float'> is not in the table of scalars (a UUID needs an Identifier).",
        "Use a type of services/catalogue/scalars.py.",
    ),
    without_docstring: ("burn_book: it has no docstring.", "Describe it in a sentence: both faces show it."),
}


@pytest.mark.parametrize("wrong", FUNCTIONS, ids=lambda wrong: wrong.__name__)
def test_wrong_function_names_its_line_and_the_mend(wrong: Callable[[], object]) -> None:
    expect_fault(wrong, *FUNCTIONS[wrong])


def test_annotation_that_names_nothing_is_a_wrong_declaration() -> None:
    async def create_book(call: Call, data: BookCreate) -> Book:  # type: ignore[empty-body]
        """Add a book."""

    create_book.__annotations__["data"] = "Missing"
    with pytest.raises(DeclarationError, match="Missing") as caught:
        BOOKS.create()(create_book)
    assert caught.value.location.line == create_book.__code__.co_firstlineno


def test_second_operation_of_the_same_name_is_refused() -> None:
    first = BOOKS.list()

    def wrong() -> object:
        return Catalogue([BOOKS], [first, BOOKS.list(address="all-books")])  # here

    expect_fault(
        wrong, f"list_books: the operation at {first.location} has this name already.", "Give it another name."
    )


def test_second_operation_at_the_same_address_is_refused() -> None:
    def wrong() -> object:
        return Catalogue([BOOKS], [BOOKS.list(), BOOKS.list(name="all_books")])  # here

    expect_fault(wrong, 'all_books: its address "books" is that of list_books already.', "Pass address=….")


def test_input_with_the_name_of_the_version_is_refused() -> None:
    @BOOKS.update()
    async def update_book(call: Call, row: Book, data: VersionedUpdate) -> Book:
        """Change a book."""
        return row

    @BOOKS.create()
    async def create_book(call: Call, data: VersionedUpdate) -> Book:
        """Add a book, which has no version yet."""
        return Book()

    Catalogue([BOOKS, SHELVES], [create_book])
    with pytest.raises(DeclarationError) as caught:
        Catalogue([BOOKS, SHELVES], [update_book])
    assert caught.value.location == update_book.location
    assert caught.value.fault == (
        "update_book: VersionedUpdate.expected_version has the name of what GraphQL takes beside the input."
    )
    assert caught.value.hint == "Give the field another name."


def test_operation_of_a_resource_that_is_not_there_is_refused() -> None:
    def wrong() -> object:
        return Catalogue([SHELVES], [BOOKS.list()])  # here

    expect_fault(wrong, 'list_books: its resource "book" is not in the catalogue.', "Add its package to MODULES.")


def test_operation_of_another_resource_of_the_same_name_is_refused() -> None:
    def wrong() -> object:
        return Catalogue([book()], [BOOKS.list()])  # here

    expect_fault(wrong, 'list_books: its resource "book" is not in the catalogue.', "Add its package to MODULES.")


def test_batch_of_what_is_no_creation_change_or_deletion_is_refused() -> None:
    def wrong() -> object:
        return BOOKS.batch(BOOKS.list())

    with pytest.raises(DeclarationError) as caught:
        wrong()
    assert caught.value.fault == "book: a batch is made of other operations than these."
    assert caught.value.hint == 'Pass one of each: "create", "delete", "update".'


def test_batch_of_an_operation_that_is_not_there_is_refused() -> None:
    deletion = BOOKS.delete()

    def wrong() -> object:
        return Catalogue([BOOKS], [BOOKS.batch(deletion)])  # here

    expect_fault(wrong, "batch_books: delete_book is not in the catalogue.", "Declare it in operations.py.")


@pytest.mark.parametrize(("returned", "shown"), [(Lending, "Lending"), (int, "int"), (list[Book], "list")])
def test_result_that_no_face_can_show_is_refused(returned: Any, shown: str) -> None:
    async def lend_book(call: Call, row: Book) -> Any:
        """Lend a book."""

    lend_book.__annotations__["return"] = returned

    def wrong() -> object:
        return Catalogue([BOOKS, SHELVES], [BOOKS.action("lend")(lend_book)])

    with pytest.raises(DeclarationError) as caught:
        wrong()
    assert caught.value.fault == f"lend_book: it returns {shown}, which neither face can show."
    assert caught.value.hint == 'Return a ResultModel, None, or a model of: "book", "shelf".'
    assert caught.value.location.line == lend_book.__code__.co_firstlineno


def test_operations_know_their_address_scope_events_and_result() -> None:
    @BOOKS.action("put_back")
    async def put_back(call: Call, row: Book) -> Book:
        """Put a book back."""
        return row

    @procedure("books/count", scope=None)
    async def count_books(call: Call) -> None:
        """Count all books."""

    found = Catalogue([BOOKS, SHELVES], [BOOKS.get(), BOOKS.delete(), put_back, count_books]).operations
    about = {name: (o.address, o.scope, o.emits, getattr(o.result, "name", None)) for name, o in found.items()}
    assert about == {
        "get_book": ("books/{id}", "books:read", (), "book"),
        "delete_book": ("books/{id}", "books:write", ("book.deleted",), None),
        "put_back": ("books/{id}/put-back", "books:write", ("book.put_back",), "book"),
        "count_books": ("books/count", None, (), None),
    }


def package(folder: Path, name: str, **files: str) -> str:
    """A package on the path, with these modules."""
    (folder / name).mkdir()
    for file, text in {"__init__": "", **files}.items():
        (folder / name / f"{file}.py").write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to import packages from."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["services.nonsense", "nonsense", "nonsense.inside"])
def test_unknown_package_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Catalogue.load(["services.identity.users", name])
    assert (caught.value.fault, caught.value.hint) == (f'there is no package "{name}".', "Correct the setting MODULES.")
    assert caught.value.location.file == "MODULES"


def test_package_that_declares_nothing_is_refused(folder: Path) -> None:
    name = package(folder, "hg_nothing_declared", models="")
    with pytest.raises(DeclarationError) as caught:
        Catalogue.load([name])
    assert caught.value.fault == f'"{name}" has neither resource.py nor operations.py.'
    assert caught.value.hint == "Correct the setting MODULES."


def test_package_that_imports_what_is_not_there_says_so(folder: Path) -> None:
    name = package(folder, "hg_broken_import", resource="import hg_is_not_installed")
    with pytest.raises(ModuleNotFoundError, match="hg_is_not_installed"):
        Catalogue.load([name])


def test_package_gives_what_its_two_modules_declare(folder: Path) -> None:
    resource = "from tests.support.library import shelf\nshelves = shelf()\n"
    operations = (
        "from services.catalogue import HandWritten\nfrom hg_shelves.resource import shelves\n"
        "list_shelves = shelves.list()\nagain = list_shelves\nform = HandWritten('rest', 'POST /x', 'Because.')\n"
    )
    found = Catalogue.load([package(folder, "hg_shelves", resource=resource, operations=operations)])
    assert (list(found.resources), list(found.operations)) == (["shelf"], ["list_shelfs"])
    assert found.resources["shelf"].model is Shelf
    assert (found.seams, found.scopes) == ((HandWritten("rest", "POST /x", "Because."),), ("shelfs:read",))
