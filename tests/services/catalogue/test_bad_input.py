"""Bad input: a Problem that names the field, the same on both faces, and nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from tests.support.accounts import sign_up
from tests.support.faces import Face
from tests.support.state import unchanged
from tests.support.world import World, make_world

MAX_SIZE = 5_000
"""Bytes that an answer may have, whatever was sent: what is wrong is named, not echoed."""


@dataclass(frozen=True)
class Case:
    """An operation with bad input, and the errors it is answered with; `graphql` where its types say otherwise."""

    operation: str
    data: Any
    errors: dict[str, str]
    id: str | None = None
    graphql: dict[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.operation} {str({**(self.data or {}), 'id': self.id} if self.id else self.data)[:80]}"


def items(field: str, code: str, *values: Any, graphql: dict[str, str] | None = None) -> list[Case]:
    """Cases of `create_item`, good but for these values of a field."""
    return [Case("create_item", {"title": "Wheel", field: each}, {field: code}, graphql=graphql) for each in values]


def each(operation: str, field: str, code: str, *values: Any, id: str | None = None, **more: Any) -> list[Case]:
    """Cases of an operation, for these values of a field."""
    return [Case(operation, {**more, field: value}, {field: code}, id) for value in values]


def users(field: str, code: str, *values: Any) -> list[Case]:
    """Cases of `create_user`, good but for these values of a field."""
    good = {"email": "bad.input@example.com", "username": "bad.input", "password": "correct horse"}
    return [Case("create_user", {**good, field: value}, {field: code}) for value in values]


BAD_INSTANTS = [
    "", "now", "2030-01-31", "2030-01-31T12:00:00", "2030-01-31 12:00:00.5", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2030-01-31T24:00:00Z", "2030-02-30T00:00:00Z", "2030-13-01T00:00:00Z",
    "2030-01-31T12:60:00Z", "2030-01-31T12:00:60Z", "2030-01-31T12:00:00+25:00",
    "2030-01-31T12:00:00.Z", "2030-01-31T12:00:00." + "1" * 33 + "Z", "2030-01-31T12:00:00+14:60",
    "2030-01-31T23:59:61Z",
    "2030-01-31T23:59:60+01:00", "2030-01-31T12:00:00+2400", "2030-01-31T12:00:00\u22122:00",
    "0000-01-01T00:00:00Z", "+12030-01-01T00:00:00Z", "2030-01-31T12:00:00Z\n",
    "\uff12\uff10\uff13\uff10-01-31T12:00:00Z", "\x00",
    "2030-01-31T12:00:00Z" * 1000,
]  # fmt: skip
BAD_EMAILS = ["", "nobody", "a@b", "@example.com", "a@example.com\x00", "a b@example.com"]
BAD_COLORS = ["red", "", "#FFF", "#FFFFFF", "#00000g", "#ffffff\n"]
NEITHER_MINE_NOR_THERE = ["@unknown.item", "@foreign.item"]
ON_A_ROW: list[tuple[str, dict[str, Any] | None]] = [
    ("get_item", None), ("update_item", {"title": "x"}), ("delete_item", {}), ("archive_item", {}),
]  # fmt: skip

CASES = [
    Case("create_item", {}, {"title": "required"}),
    *items("title", "type", 5, True, None, ["x"], {"a": 1}),
    *items("title", "length", "", " \t\n ", "x" * 201, "é" * 100_000),
    *items("title", "format", "a\x00b"),
    *items("description", "length", "x" * 20_001),
    *items("description", "format", "\x00"),
    *items("description", "type", 5),
    *items("status", "choice", "nope", "", 5, True, None, ["open"], "open\x00"),
    *items("priority", "type", "2", "", 2.5, True, None, [], {}),
    *items("priority", "range", -1, 5, 2**31, -(2**31) - 1, 2**53, 2**63, -(2**63)),
    *items("due_at", "format", *BAD_INSTANTS),
    *items("due_at", "type", 5, True, ["2030-01-31T12:00:00Z"]),
    *items("workspace_id", "type", True),
    *items("workspace_id", "format", "", "x", "@item", "@cut.workspace", "@upper.workspace"),
    *items("workspace_id", "format", "wsp_\x00", "wsp_" + "0" * 100_000),
    *items("workspace_id", "not_found", "@unknown.workspace", "@foreign.workspace"),
    *items("parent_id", "not_found", *NEITHER_MINE_NOR_THERE),
    *items("assignee_id", "not_found", "@unknown.user"),
    *items("label_ids", "type", "lbl", graphql={"label_ids[0]": "format"}),
    *items("label_ids", "type", None),
    *items("label_ids", "length", ["@label"] * 51),
    Case("create_item", {"title": "x", "label_ids": [None]}, {"label_ids[0]": "type"}),
    Case("create_item", {"title": "x", "label_ids": ["@label", "@item"]}, {"label_ids[1]": "format"}),
    Case("create_item", {"title": "x", "label_ids": ["@label", "@foreign.label"]}, {"label_ids[1]": "not_found"}),
    Case(
        "create_item", {"title": "x", "parent_id": "@foreign.item", "label_ids": ["@unknown.label"]},
        {"parent_id": "not_found", "label_ids[0]": "not_found"},
    ),
    *items("titel", "unknown", 1),
    *items("version", "unknown", 9),
    *items("creator_id", "unknown", "@user"),
    Case(
        "create_item", {"title": "", "priority": 9, "nope": []},
        {"title": "length", "priority": "range", "nope": "unknown"},
    ),
    *each("update_item", "title", "type", None, id="@item"),
    *each("update_item", "priority", "type", None, id="@item"),
    *each("update_item", "priority", "range", 9, id="@item"),
    *each("update_item", "status", "choice", None, id="@item"),
    *each("update_item", "workspace_id", "unknown", "@workspace", id="@item"),
    *each("update_item", "parent_id", "not_found", *NEITHER_MINE_NOR_THERE, id="@item"),
    Case("attach_label", {}, {"label_id": "required"}, "@item"),
    *each("attach_label", "label_id", "format", "@item", id="@item"),
    *each("create_label", "color", "format", *BAD_COLORS, name="x"),
    *each("create_label", "name", "length", "x" * 51),
    Case("create_comment", {"body": "x"}, {"item_id": "required"}),
    *each("create_comment", "body", "length", "", "  ", "x" * 10_001, item_id="@item"),
    *each("create_comment", "item_id", "not_found", *NEITHER_MINE_NOR_THERE, body="x"),
    *each("create_membership", "role", "choice", "boss", workspace_id="@workspace", username="ada"),
    *users("email", "format", *BAD_EMAILS),
    *users("email", "length", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.com"),
    *users("username", "length", "", "ab", "x" * 51),
    *users("username", "format", "a b c", "ada\x00", "ada\n", "ad\u0430"),
    *users("password", "length", "", "1234567", "x" * 129, "x" * 100_000),
    *users("password", "format", "correct\x00horse"),
    *users("password", "type", 12345678),
    *[
        Case(operation, data, {"id": "format"}, bad)
        for operation, data in ON_A_ROW
        for bad in ("x", "@label", "@cut.item", "@upper.item", "itm_" + "0" * 5_000)
    ],
]  # fmt: skip
NOT_FOUND = [Case(operation, data, {}, bad) for operation, data in ON_A_ROW for bad in NEITHER_MINE_NOR_THERE]


@pytest.fixture(scope="module")
async def world(client: httpx.AsyncClient, gateway: Gateway) -> World:
    """Rows to refer to."""
    return await make_world(client, gateway)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{CASES.index(case)} {case}")
async def test_bad_value_is_a_problem_that_names_it(face: Face, gateway: Gateway, world: World, case: Case) -> None:
    async with unchanged(gateway):
        answer = await face.call(case.operation, world.actor, world.filled(case.data), id=world.filled(case.id))
    expected = case.graphql if case.graphql is not None and face.name == "graphql" else case.errors
    assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, expected)
    assert answer.size < MAX_SIZE


@pytest.mark.parametrize("case", NOT_FOUND, ids=str)
async def test_row_of_nobody_and_of_somebody_else_are_both_not_found(
    face: Face, gateway: Gateway, world: World, case: Case
) -> None:
    async with unchanged(gateway):
        answer = await face.call(case.operation, world.actor, case.data, id=world.filled(case.id))
    assert (answer.problem, answer.status, answer.errors) == ("not_found", 404, {})


@pytest.mark.parametrize("case", CASES[:3], ids=str)
async def test_input_of_somebody_who_is_not_signed_in_is_not_looked_at(face: Face, world: World, case: Case) -> None:
    answer = await face.call(case.operation, None, world.filled(case.data))
    assert (answer.problem, answer.status) == ("unauthenticated", 401)


@pytest.mark.parametrize("operation", ["get_item", "update_item"])
async def test_identifier_of_somebody_who_may_not_call_is_not_looked_at(
    face: Face, client: httpx.AsyncClient, operation: str
) -> None:
    narrow = await sign_up(client, scope="labels:read")
    assert (await face.call(operation, None, id="nonsense")).problem == "unauthenticated"
    assert (await face.call(operation, narrow, id="nonsense")).problem == "insufficient_scope"


async def test_password_is_not_echoed(face: Face) -> None:
    answer = await face.call("create_user", None, {"email": "x", "username": "x", "password": "s3cret"})
    assert set(answer.errors or {}) == {"email", "username", "password"}
    assert "s3cret" not in str(answer.members)


@pytest.mark.parametrize("length", [1_000, 100_000])
async def test_long_name_of_an_unknown_field_is_not_echoed(face: Face, world: World, length: int) -> None:
    answer = await face.call("create_item", world.actor, {"title": "Wheel", "x" * length: 1})
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.size < MAX_SIZE


async def test_thousand_unknown_fields_are_not_all_listed(face: Face, world: World) -> None:
    data = {"title": "Wheel", **{f"field{number}": 1 for number in range(1_000)}}
    answer = await face.call("create_item", world.actor, data)
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.size < MAX_SIZE
