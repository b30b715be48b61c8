"""Bad filters, searches, orders, pages and cursors: a Problem that names the argument, the same on both faces."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.services.catalogue.test_bad_input import MAX_SIZE
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item, make_label
from tests.support.world import World, make_world


@dataclass(frozen=True)
class Case:
    """Arguments of `list_items`, and the errors; `graphql` where types of its own refuse the value."""

    errors: dict[str, str]
    arguments: dict[str, Any]
    graphql: dict[str, str] | None = None

    def __str__(self) -> str:
        return str(self.arguments)[:90]


def filtered(errors: dict[str, str], tree: Any, graphql: dict[str, str] | None = None) -> Case:
    """A case of a filter."""
    return Case(errors, {"filter": tree}, graphql)


def nested(depth: int) -> dict[str, Any]:
    """A filter so many levels deep."""
    tree: dict[str, Any] = {"status": "open"}
    for _ in range(depth - 1):
        tree = {"not": tree}
    return tree


CASES = [
    *[filtered({"filter": "type"}, bad) for bad in (5, "x", True)],
    *[filtered({"filter.nope": "unknown"}, {"nope": value}) for value in (1, {"eq": 1})],
    filtered({"filter.description": "unknown"}, {"description": {"contains": "x"}}),
    filtered({"filter.creator": "unknown"}, {"creator": {"username": "x"}}),
    filtered({"filter.title.gt": "unknown"}, {"title": {"gt": "a"}}),
    filtered({"filter.title.like": "unknown"}, {"title": {"like": "a"}}),
    filtered({"filter.title.is_null": "unknown"}, {"title": {"is_null": True}}),
    *[filtered({"filter.title.eq": "type"}, {"title": {"eq": bad}}) for bad in (5, True, ["x"], {"a": 1})],
    *[filtered({f"filter.{name}.eq": "type"}, {name: {"eq": None}}) for name in ("title", "priority", "due_at", "id")],
    filtered({"filter.status.eq": "choice"}, {"status": {"eq": None}}),
    filtered({"filter.title.in[1]": "type"}, {"title": {"in": ["x", 5]}}),
    *[filtered({"filter.priority.eq": "type"}, {"priority": {"eq": bad}}) for bad in ("1", 1.5, True)],
    *[filtered({"filter.priority.gt": "range"}, {"priority": {"gt": bad}}) for bad in (2**31, -(2**31) - 1, 2**63)],
    filtered({"filter.status.eq": "choice"}, {"status": {"eq": "nope"}}),
    filtered({"filter.status.in[1]": "choice"}, {"status": {"in": ["open", "nope"]}}),
    filtered({"filter.due_at.is_null": "type"}, {"due_at": {"is_null": "yes"}}),
    *[
        filtered({"filter.due_at.gte": "format"}, {"due_at": {"gte": bad}})
        for bad in ("2030-01-31T12:00:00", "2030-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "2030-01-31T24:00:00Z")
    ],
    filtered({"filter.due_at.in[0]": "format"}, {"due_at": {"in": ["x"]}}),
    *[filtered({"filter.id.eq": "format"}, {"id": {"eq": bad}}) for bad in ("x", "", "@label", "itm_" + "0" * 400)],
    filtered({"filter.id.in[1]": "format"}, {"id": {"in": ["@item", "@label"]}}),
    filtered({"filter.title.contains": "format"}, {"title": {"contains": "a\x00b"}}),
    filtered({"filter.title.in[0]": "format"}, {"title": {"in": ["\x00"]}}),
    *[filtered({"filter.title.eq": "length"}, {"title": {"eq": "x" * size}}) for size in (501, 50_000)],
    filtered({"filter.title.in": "length"}, {"title": {"in": ["x"] * 101}}),
    filtered({"filter.priority.not_in": "length"}, {"priority": {"not_in": [1] * 2_000}}),
    filtered({"filter.or": "length"}, {"or": [{"status": "open"}] * 51}),
    filtered({"filter": "length"}, {"and": [{"priority": {"gt": 0, "lt": 4}}] * 26}),
    *[filtered({f"filter{'.not' * 5}": "length"}, nested(depth)) for depth in (6, 20)],
    filtered({"filter.and[0].or[1].title.eq": "type"}, {"and": [{"or": [{"title": "x"}, {"title": {"eq": 5}}]}]}),
    Case({"q": "format"}, {"q": "a\x00b"}),
    *[Case({"q": "length"}, {"q": "x" * size}) for size in (201, 50_000)],
    *[Case({"after": "cursor"}, {"after": bad}) for bad in ("x", "=", "é", "a\x00b", "////", "x" * 50_000)],
    *[Case({"before": "cursor"}, {"before": bad}) for bad in ("x", "=", "é", "a\x00b", "////", "x" * 50_000)],
    *[Case({"limit": "range"}, {"limit": bad}) for bad in (0, -5, 101, 2**31 - 1)],
    *[Case({"limit": "type"}, {"limit": bad}) for bad in ("many", 1.5, True)],
    *[Case({"limit": "range"}, {"limit": bad}) for bad in (2**31, 2**63)],
    *[
        Case({"sort[0]": "choice"}, {"sort": [bad]}, {"order_by[0].field": "choice"})
        for bad in ("nope", "", "description", "x" * 50_000)
    ],
    Case({"sort[1]": "choice"}, {"sort": ["title", "--title"]}, {"order_by[1].field": "choice"}),
]  # fmt: skip


@pytest.fixture(scope="module")
async def world(client: httpx.AsyncClient, gateway: Gateway) -> World:
    """Rows to refer to, and enough of them for a second page."""
    world, face = await make_world(client, gateway), RestFace(client, gateway.catalogue)
    for number in range(3):
        await make_item(face, world.actor, f"Wheel {number}")
    await make_label(face, world.actor, "steel")
    return world


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{CASES.index(case)} {case}")
async def test_bad_argument_is_a_problem_that_names_it(face: Face, world: World, case: Case) -> None:
    answer = await face.call("list_items", world.actor, **world.filled(case.arguments))
    expected = {face.arguments.get(name, name): code for name, code in case.errors.items()}
    if face.name == "graphql" and case.graphql is not None:
        expected = case.graphql
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert {name.replace("sort[", "order_by[") if face.name == "graphql" else name for name in expected} == set(
        answer.errors or {}
    )
    assert list((answer.errors or {}).values()) == list(expected.values())
    assert answer.size < MAX_SIZE


async def cursor(face: Face, world: World, operation: str = "list_items", **arguments: Any) -> str:
    """The cursor at the end of a first page."""
    found = await face.ok(operation, world.actor, limit=1, **arguments)
    text: str = found["page"]["next"]
    return text


async def refused(face: Face, world: World, after: str, operation: str = "list_items", **arguments: Any) -> None:
    """The cursor must be refused, by name and without an echo."""
    answer = await face.call(operation, world.actor, after=after, **arguments)
    assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, {"after": "cursor"})
    assert answer.size < MAX_SIZE


@pytest.mark.parametrize(
    ("made", "used"),
    [
        ([], ["title"]),
        (["title"], []),
        (["title"], ["-title"]),
        (["title", "priority"], ["priority", "title"]),
        (["due_at"], ["created_at"]),
    ],
    ids=str,
)
async def test_cursor_of_another_order_is_refused(face: Face, world: World, made: list[str], used: list[str]) -> None:
    await refused(face, world, await cursor(face, world, sort=made), sort=used)


async def test_cursor_of_another_resource_is_refused(face: Face, world: World) -> None:
    await refused(face, world, await cursor(face, world), "list_labels")
    await refused(face, world, await cursor(face, world, "list_labels"))


@pytest.mark.parametrize("position", [0, 5, 20, 30])
async def test_cursor_that_was_tampered_with_is_refused(face: Face, world: World, position: int) -> None:
    good = await cursor(face, world)
    other = "A" if good[position] != "A" else "B"
    await refused(face, world, good[:position] + other + good[position + 1 :])


@pytest.mark.parametrize("change", ["{}!", "!{}", "{}\n", "{}AAAA", " {}", "{}===="])
async def test_cursor_with_something_added_is_refused(face: Face, world: World, change: str) -> None:
    await refused(face, world, change.format(await cursor(face, world)))


@pytest.mark.parametrize("forged", [b"null", b"[]", b'["itm_x"]', b"{", b"[" * 500, b'[{"$ne": null}]'])
async def test_forged_cursor_is_refused(face: Face, world: World, forged: bytes) -> None:
    await refused(face, world, base64.urlsafe_b64encode(b"\0" * 12 + forged).rstrip(b"=").decode())


async def test_cursor_of_a_megabyte_is_not_echoed(graphql: GraphQLFace, world: World) -> None:
    await refused(graphql, world, "x" * 1_000_000)


async def test_skip_with_a_cursor_is_refused(rest: RestFace, world: World) -> None:
    answer = await rest.call("list_items", world.actor, after=await cursor(rest, world), skip=1)
    assert (answer.status, answer.errors) == (422, {"skip": "conflict"})
