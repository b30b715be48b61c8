"""Full-text search: words, stems, phrases and exclusions."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

from services.execution import Gateway
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
