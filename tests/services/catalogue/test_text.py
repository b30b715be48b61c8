"""Text is one whichever way it is written: normal forms (UAX #15), and upper and lower case of every alphabet."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face, RestFace
from tests.support.factories import make_item, make_label
from tests.support.lists import ids

CAFE = "Caf\u00e9 \u1e69 \ud55c"
DECOMPOSED = normalize("NFD", CAFE)

SAME = [
    ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),  # ΟΔΟΣ, οδος: the final sigma
    ("\u03bf\u03b4\u03bf\u03c3", "\u03bf\u03b4\u03bf\u03c2"),
    ("STRASSE", "stra\u00dfe"),
    ("STRA\u1e9eE", "strasse"),
    ("\u00c9CLAIR", "\u00e9clair"),
    ("\u0416\u0423\u041a", "\u0436\u0443\u043a"),
    ("\u0531\u0532", "\u0561\u0562"),
    ("o\ufb03ce", "OFFICE"),
    ("\u1f88", "\u1f00\u03b9"),  # the iota below a letter
    ("\u03aa\u0301", "\u0390"),
    ("J\u030c", "\u01f0"),
    ("\u13a0", "\uab70"),
    ("\U00010400", "\U00010428"),
]
OTHERS = [("I", "\u0131"), ("\u0130", "i"), ("e", "\u00e9"), ("\u03bf\u03b4\u03cc\u03c2", "\u039f\u0394\u039f\u03a3")]


async def test_text_is_kept_in_nfc(face: Face, ada: Account) -> None:
    item = await make_item(face, ada, DECOMPOSED, description=DECOMPOSED)
    assert (item["title"], item["description"]) == (CAFE, CAFE)
    changed = await face.ok("update_item", ada, {"title": f"{DECOMPOSED}!"}, id=item["id"])
    assert changed["title"] == f"{CAFE}!"


async def test_file_names_are_kept_in_nfc(face: Face, ada: Account) -> None:
    made = await face.ok("create_file", ada, {"name": f"{DECOMPOSED}.png", "size": 1})
    assert (await face.ok("get_file", ada, id=made["id"]))["name"] == f"{CAFE}.png"


@pytest.mark.parametrize("asked", [CAFE, DECOMPOSED])
async def test_filters_and_searches_find_either_normal_form(face: Face, ada: Account, asked: str) -> None:
    item = await make_item(face, ada, f"x {DECOMPOSED} y")
    await make_item(face, ada, "Cafe")
    for found in (
        {"filter": {"title": f"x {asked} y"}},
        {"filter": {"title": {"in": [f"x {asked} y"]}}},
        {"filter": {"title": {"contains": asked}}},
        {"filter": {"title": {"starts_with": f"X {asked}"}}},
        {"q": asked.split()[1]},
        {"q": f'"{asked}"'},
    ):
        assert ids((await face.ok("list_items", ada, **found))["data"]) == [item["id"]]


async def test_lengths_are_those_of_the_normalised_text(face: Face, ada: Account) -> None:
    assert (await make_item(face, ada, "e\u0301" * 200))["title"] == "\u00e9" * 200
    answer = await face.call("create_item", ada, {"title": "e\u0301" * 201})
    assert (answer.status, answer.errors) == (422, {"title": "length"})
    assert (await face.ok("list_items", ada, q="e\u0301" * 200))["data"] != []
    answer = await face.call("list_items", ada, filter={"title": {"contains": "e\u0301" * 501}})
    assert (answer.status, answer.errors) == (422, {"filter.title.contains": "length"})


@pytest.mark.parametrize(
    "pile", ["\u0301\u0316" * 16, "\u0f73" * 31, "\u05bf\u034f" * 16, "\U0001e8d0\u0316" * 16, "\uff9e" * 31]
)
async def test_more_marks_in_a_row_than_any_language_has_are_refused(face: Face, ada: Account, pile: str) -> None:
    answer = await face.call("create_item", ada, {"title": "x", "description": f"a{pile}"})
    assert (answer.status, answer.errors) == (422, {"description": "format"})
    for asked, field in (
        ({"filter": {"title": {"contains": pile}}}, "filter.title.contains"),
        ({"filter": {"title": {"in": ["x", pile]}}}, "filter.title.in[1]"),
        ({"q": pile}, "q" if isinstance(face, RestFace) else "search"),
    ):
        answer = await face.call("list_items", ada, **asked)
        assert (answer.status, answer.errors) == (422, {field: "format"})
    assert (await make_item(face, ada, f"a{pile[:30]}b"))["title"] != ""


async def test_text_that_would_take_minutes_to_normalise_is_refused(face: Face) -> None:
    answer = await face.call("login", None, {"username": "\u0f73" * 200_000, "password": "correct horse"})
    assert (answer.status, answer.errors) == (422, {"username": "format"})


async def test_pictures_and_scripts_of_many_characters_are_no_marks(face: Face, ada: Account) -> None:
    for text in ("\U0001f40e" * 200, "\u0e01\u0e33" * 100, "\U00010437" * 200):
        assert (await make_item(face, ada, text))["title"] == text


async def test_names_are_unique_whatever_their_normal_form(face: Face, ada: Account) -> None:
    await make_label(face, ada, CAFE)
    answer = await face.call("create_label", ada, {"name": DECOMPOSED})
    assert (answer.problem, answer.errors) == ("conflict", {"name": "unique"})


@pytest.mark.parametrize(("one", "other"), SAME)
async def test_case_of_every_alphabet_makes_no_difference(face: Face, ada: Account, one: str, other: str) -> None:
    label = await make_label(face, ada, f"x{one}")
    for asked in (one, other):
        for operator, operand in (("contains", asked), ("starts_with", f"X{asked}")):
            found = await face.ok("list_labels", ada, filter={"name": {operator: operand}})
            assert ids(found["data"]) == [label["id"]]
    answer = await face.call("create_label", ada, {"name": f"X{other}"})
    assert (answer.problem, answer.errors) == ("conflict", {"name": "unique"})


@pytest.mark.parametrize(("one", "other"), OTHERS)
async def test_other_letters_are_others(face: Face, ada: Account, one: str, other: str) -> None:
    first, second = await make_label(face, ada, f"x{one}x"), await make_label(face, ada, f"x{other}x")
    for label, asked in ((first, one), (second, other)):
        found = await face.ok("list_labels", ada, filter={"name": {"contains": f"{asked}x"}})
        assert ids(found["data"]) == [label["id"]]
