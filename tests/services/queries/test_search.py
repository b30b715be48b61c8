"""Full-text search: words, stems, phrases and exclusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, RestFace
from tests.support.factories import make_comment, make_item
from tests.support.lists import walk


@dataclass(frozen=True)
class Library:
    """Somebody with items and comments; their names by what they are to be found under."""

    owner: Account


@pytest.fixture(scope="module")
async def library(client: httpx.AsyncClient, gateway: Gateway) -> Library:
    """Three items, and comments on the first."""
    face, owner = RestFace(client, gateway.catalogue), await sign_up(client)
    first = await make_item(face, owner, "Order the brass wheels", description="From the foundry in Leeds")
    await make_item(face, owner, "Punched cards", description="Ordering brass cards is nonsense; wheels are brass")
    await make_item(face, owner, "Write to Babbage")
    await make_comment(face, owner, first, "The wheels arrived broken")
    await make_comment(face, owner, first, "Broken wheels were replaced")
    await make_comment(face, owner, first, "Paid")
    return Library(owner)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wheels", {"Order the brass wheels", "Punched cards"}),
        ("WHEEL", {"Order the brass wheels", "Punched cards"}),
        ("ordering", {"Order the brass wheels", "Punched cards"}),
        ("brass foundry", {"Order the brass wheels"}),
        ("babbage or foundry", {"Order the brass wheels", "Write to Babbage"}),
        ('"brass wheels"', {"Order the brass wheels"}),
        ('"brass cards"', {"Punched cards"}),
        ("brass -foundry", {"Punched cards"}),
        ("difference", set()),
        ("brass & !wheels | (", {"Order the brass wheels", "Punched cards"}),
    ],
)
async def test_items_are_found_by_title_and_description(
    face: Face, library: Library, words: str, expected: set[str]
) -> None:
    found = await face.ok("list_items", library.owner, q=words, count=True)
    assert {row["title"] for row in found["data"]} == expected
    assert found["page"]["total"] == len(expected)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wheel", {"The wheels arrived broken", "Broken wheels were replaced"}),
        ('"broken wheels"', {"Broken wheels were replaced"}),
        ("broken -replaced", {"The wheels arrived broken"}),
        ("arriving", {"The wheels arrived broken"}),
        ("brass", set()),
    ],
)
async def test_comments_are_found_by_their_body(face: Face, library: Library, words: str, expected: set[str]) -> None:
    found = await face.ok("list_comments", library.owner, q=words)
    assert {row["body"] for row in found["data"]} == expected


WRITTEN = [
    "Calls from client/server to see",
    "services/storage/pool.py is long",
    "Attach foo.png and report_final.pdf",
    "Release 1.2.3 by ada.lovelace@example.com",
    "To re-use https://example.org/a-page?x=1",
    "It is what it is: the Who, just now",
    "\u6771\u4eac\u90fd\u5e81\u306e\u5730\u56f3",
    "L\u2019\u00e9t\u00e9 \u00e0 l'\u00c9clair \U0001f389",
    "\uc11c\uc6b8\uc5d0\uc11c \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a",
]
FOUND = [
    ("server", 0), ("client/server", 0), ("client server", 0), ('"client server"', 0), ("CLIENT/SERVER", 0),
    ("pool", 1), ("pool.py", 1), ("storage/pool.py", 1), ("services/storage/pool.py", 1), ("storage", 1),
    ("png", 2), ("foo.png", 2), ("final", 2), ("report_final.pdf", 2), ("report-final", 2),
    ("1.2.3", 3), ("lovelace", 3), ("example.com", 3), ("ada.lovelace@example.com", 3), ("@example.com", 3),
    ("re-use", 4), ('"to re-use"', 4), ("example.org", 4), ("https://example.org/a-page?x=1", 4), ("a-page", 4),
    ("it is", 5), ("the who", 5), ("The Who", 5), ('"the who"', 5), ("just", 5),
    ("\u6771\u4eac", 6), ("\u5730\u56f3", 6), ("\u90fd\u5e81\u306e", 6), ("\u6771\u4eac \u5730\u56f3", 6),
    ("\u00e9t\u00e9", 7), ("l'\u00e9t\u00e9", 7), ("\u00c9T\u00c9", 7), ("eclair", 7), ("\U0001f389", 7),
    ("\u00e9clair \U0001f389", 7), ("\uc11c\uc6b8", 8), ("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", 8),
]  # fmt: skip


@pytest.fixture(scope="module")
async def written(client: httpx.AsyncClient, gateway: Gateway) -> Account:
    """Somebody with an item for each of these titles."""
    face, owner = RestFace(client, gateway.catalogue), await sign_up(client)
    for title in WRITTEN:
        await make_item(face, owner, title)
    return owner


@pytest.mark.parametrize(("words", "place"), FOUND)
async def test_parts_are_found_and_the_whole(face: Face, written: Account, words: str, place: int) -> None:
    found = await face.ok("list_items", written, q=words, count=True)
    assert [row["title"] for row in found["data"]] == [WRITTEN[place]]
    assert found["page"]["total"] == 1


@pytest.mark.parametrize(
    "words",
    ["server/client", '"server client"', "py.pool", "the whom", "\u4eac\u6771", "!!!", "-server -client client"],
)
async def test_what_is_not_there_is_not_found(face: Face, written: Account, words: str) -> None:
    assert (await face.ok("list_items", written, q=words))["data"] == []


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("png or pool", {1, 2}), ("-zebra", {0, 1, 2, 3, 4, 5, 6, 7, 8}), ("-png -example", {0, 1, 5, 6, 7, 8}),
        ("example -page", {3}), ('example -"a-page"', {3}), ("the pool", {1}), ("pool -the", {1}), ("", set(range(9))),
        ("  ", set(range(9))),
    ],
)  # fmt: skip
async def test_choices_and_exclusions_and_blanks(face: Face, written: Account, words: str, places: set[int]) -> None:
    found = await face.ok("list_items", written, q=words)
    assert {row["title"] for row in found["data"]} == {WRITTEN[each] for each in places}


async def test_search_without_words_combines_with_filters_and_pages(face: Face, written: Account) -> None:
    asked: dict[str, Any] = {"q": "i", "sort": ["title"], "filter": {"title": {"contains": "e"}}}
    found = await walk(face, written, "list_items", limit=2, **asked)
    expected = {each for each in WRITTEN if "i" in each.lower() and "e" in each.lower()}
    assert {row["title"] for row in found} == expected
    assert (await face.ok("list_items", written, count=True, **asked))["page"]["total"] == len(expected)


async def test_search_filter_order_and_pages_combine(face: Face, library: Library) -> None:
    found = await walk(face, library.owner, "list_items", limit=1, q="brass", filter={"status": "open"}, sort=["title"])
    assert [row["title"] for row in found] == ["Order the brass wheels", "Punched cards"]


async def test_search_finds_nothing_of_others(face: Face, library: Library, eve: Account) -> None:
    assert (await face.ok("list_items", eve, q="brass", count=True))["page"]["total"] == 0


async def test_changed_text_is_found_at_once(face: Face, ada: Account) -> None:
    item = await make_item(face, ada, "Wheel")
    await face.ok("update_item", ada, {"title": "Lever"}, id=item["id"])
    assert (await face.ok("list_items", ada, q="wheel"))["data"] == []
    assert [row["id"] for row in (await face.ok("list_items", ada, q="levers"))["data"]] == [item["id"]]


async def test_list_without_search_refuses_it(rest: RestFace, ada: Account) -> None:
    answer = await rest.call("list_labels", ada, q="brass")
    assert (answer.status, answer.errors) == (422, {"q": "unknown"})


async def test_search_too_long_is_refused(face: Face, library: Library) -> None:
    answer = await face.call("list_items", library.owner, q="x" * 201)
    assert (answer.status, answer.errors) == (422, {face.arguments.get("q", "q"): "length"})
