"""Filters: every operator on every kind of field, nesting, nulls, and texts taken literally."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.catalogue import Catalogue
from services.catalogue.scalars import parse_instant
from services.engine.gateway import Gateway
from services.sample.items.models import ItemStatus
from tests.support.accounts import Account, sign_up
from tests.support.faces import Face, RestFace
from tests.support.factories import Row, insert_items, key_of, make_workspace, personal_workspace, unknown_id

JAN, FEB, MAR = "2030-01-01T00:00:00Z", "2030-02-01T00:00:00+00:00", "2030-03-01T01:00:00+01:00"
ROWS: dict[str, dict[str, Any]] = {
    "a": {"title": "Alpha 100%", "status": "open", "priority": 0, "due_at": JAN},
    "b": {"title": "beta_under", "status": "in_progress", "priority": 1, "due_at": None},
    "c": {"title": "gamma\\slash/50", "status": "done", "priority": 2, "due_at": FEB},
    "d": {"title": "alphabet ☃", "status": "archived", "priority": 3, "due_at": None},
    "e": {"title": "betaXunder 1000", "status": "open", "priority": 4, "due_at": MAR},
}

# A filter, and the items that it finds. {x} stands for the identifier of the item x, @owner for the owner's.
ITEM_CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "abcde"),
    ({"title": {"eq": "beta_under"}}, "b"),
    ({"title": {"eq": "BETA_UNDER"}}, ""),
    ({"title": {"ne": "beta_under"}}, "acde"),
    ({"title": {"in": ["beta_under", "Alpha 100%", "nothing"]}}, "ab"),
    ({"title": {"in": []}}, ""),
    ({"title": {"not_in": ["beta_under", "Alpha 100%"]}}, "cde"),
    ({"title": {"not_in": []}}, "abcde"),
    ({"title": {"contains": "ALPHA"}}, "ad"),
    ({"title": {"contains": "%"}}, "a"),
    ({"title": {"contains": "_"}}, "b"),
    ({"title": {"contains": "\\"}}, "c"),
    ({"title": {"contains": "/"}}, "c"),
    ({"title": {"contains": "☃"}}, "d"),
    ({"title": {"contains": "a%0"}}, ""),
    ({"title": {"contains": ""}}, "abcde"),
    ({"title": {"starts_with": "Beta"}}, "be"),
    ({"title": {"starts_with": "beta_"}}, "b"),
    ({"title": {"starts_with": "%"}}, ""),
    ({"title": {"starts_with": "gamma\\"}}, "c"),
    ({"priority": {"eq": 2}}, "c"),
    ({"priority": {"ne": 2}}, "abde"),
    ({"priority": {"in": [0, 4, 7]}}, "ae"),
    ({"priority": {"not_in": [0, 4]}}, "bcd"),
    ({"priority": {"gt": 2}}, "de"),
    ({"priority": {"gte": 2}}, "cde"),
    ({"priority": {"lt": 2}}, "ab"),
    ({"priority": {"lte": 2}}, "abc"),
    ({"priority": {"gt": 0, "lt": 3, "ne": 1}}, "c"),
    ({"priority": {"gte": -(2**31), "lte": 2**31 - 1}}, "abcde"),
    ({"due_at": {"eq": "2030-02-01T00:00:00Z"}}, "c"),
    ({"due_at": {"eq": "2030-02-01T05:30:00+05:30"}}, "c"),
    ({"due_at": {"ne": FEB}}, "abde"),
    ({"due_at": {"in": [JAN, FEB]}}, "ac"),
    ({"due_at": {"not_in": [JAN, FEB]}}, "bde"),
    ({"due_at": {"not_in": []}}, "abcde"),
    ({"due_at": {"gt": FEB}}, "e"),
    ({"due_at": {"gte": FEB}}, "ce"),
    ({"due_at": {"lt": FEB}}, "a"),
    ({"due_at": {"lte": FEB}}, "ac"),
    ({"due_at": {"is_null": True}}, "bd"),
    ({"due_at": {"is_null": False}}, "ace"),
    ({"created_at": {"eq": "2020-01-01T00:01:00Z"}}, "b"),
    ({"created_at": {"ne": "2020-01-01T00:01:00Z"}}, "acde"),
    ({"created_at": {"in": ["2020-01-01T00:01:00Z", "2020-01-01T00:02:00Z"]}}, "bc"),
    ({"created_at": {"not_in": ["2020-01-01T00:01:00Z", "2020-01-01T00:02:00Z"]}}, "ade"),
    ({"created_at": {"gt": "2020-01-01T00:02:00Z"}}, "de"),
    ({"created_at": {"gte": "2020-01-01T00:02:00Z"}}, "cde"),
    ({"created_at": {"lt": "2020-01-01T00:02:00.000001Z"}}, "abc"),
    ({"created_at": {"lte": "2020-01-01T00:01:59.999999Z"}}, "ab"),
    ({"status": {"eq": "open"}}, "ae"),
    ({"status": {"ne": "open"}}, "bcd"),
    ({"status": {"in": ["open", "done"]}}, "ace"),
    ({"status": {"not_in": ["open", "done"]}}, "bd"),
    ({"id": {"eq": "{a}"}}, "a"),
    ({"id": {"ne": "{a}"}}, "bcde"),
    ({"id": {"in": ["{a}", "{c}"]}}, "ac"),
    ({"id": {"not_in": ["{a}", "{c}"]}}, "bde"),
    ({"parent_id": {"eq": "{a}"}}, "bc"),
    ({"parent_id": {"ne": "{a}"}}, "ade"),
    ({"parent_id": {"in": ["{a}", "{b}"]}}, "bcd"),
    ({"parent_id": {"not_in": ["{a}"]}}, "ade"),
    ({"parent_id": {"is_null": True}}, "ae"),
    ({"parent_id": {"is_null": False}}, "bcd"),
    ({"assignee_id": {"eq": "@owner"}}, "e"),
    ({"status": "open", "priority": {"gt": 0}}, "e"),
    ({"and": [{"status": "open"}, {"priority": 0}]}, "a"),
    ({"and": []}, "abcde"),
    ({"or": [{"status": "done"}, {"priority": 0}]}, "ac"),
    ({"or": []}, ""),
    ({"not": {"status": "open"}}, "bcd"),
    ({"not": {"due_at": {"gte": FEB}}}, "abd"),
    ({"not": {"due_at": {"ne": FEB}}}, "c"),
    ({"not": {"due_at": {"not_in": [JAN]}}}, "a"),
    ({"not": {"not": {"due_at": {"gte": FEB}}}}, "ce"),
    ({"not": {"or": [{"due_at": {"lt": FEB}}, {"priority": 4}]}}, "bcd"),
    ({"not": {"and": [{"due_at": {"gt": JAN}}, {"status": "open"}]}}, "abcd"),
    ({"or": [{"and": [{"status": "open"}, {"not": {"priority": 0}}]}, {"title": {"contains": "_"}}]}, "be"),
    ({"status": "open", "or": [{"priority": 4}, {"priority": 3}]}, "e"),
    ({"or": [{"priority": 0}, {"priority": 1}], "and": [{"not": {"priority": 0}}]}, "b"),
]

USER_CASES: list[tuple[dict[str, Any], str]] = [
    ({"full_name": {"eq": "Ada Lovelace"}}, "a"),
    ({"full_name": {"ne": "Ada Lovelace"}}, "bc"),
    ({"full_name": {"in": ["Ada Lovelace", "Charles 100%"]}}, "ac"),
    ({"full_name": {"not_in": ["Ada Lovelace"]}}, "bc"),
    ({"full_name": {"contains": "lovelace"}}, "a"),
    ({"full_name": {"contains": "%"}}, "c"),
    ({"full_name": {"starts_with": "cha"}}, "c"),
    ({"full_name": {"is_null": True}}, "b"),
    ({"full_name": {"is_null": False}}, "ac"),
    ({"is_superuser": {"eq": False}}, "abc"),
    ({"is_superuser": {"ne": False}}, ""),
    ({"is_active": True}, "abc"),
    ({"not": {"is_active": {"eq": True}}}, ""),
    ({"email_verified": {"eq": False}}, "a"),
    ({"email_verified": {"eq": True}}, ""),
    ({"email_verified": {"ne": True}}, "abc"),
    ({"email_verified": {"ne": False}}, "bc"),
    ({"email_verified": {"is_null": True}}, "bc"),
    ({"email_verified": {"is_null": False}}, "a"),
]


@dataclass(frozen=True)
class Shelf:
    """The items, users and workspaces that the cases speak of, by letter."""

    owner: Account
    items: Mapping[str, str]
    users: Mapping[str, str]

    def letters(self, rows: list[Row], names: Mapping[str, str]) -> str:
        """Which rows these are."""
        back = {value: key for key, value in names.items()}
        return "".join(sorted(back[row["id"]] for row in rows))

    def filled(self, tree: Any) -> Any:
        """A filter with identifiers put in."""
        if isinstance(tree, dict):
            return {key: self.filled(each) for key, each in tree.items()}
        if isinstance(tree, list):
            return [self.filled(each) for each in tree]
        if tree == "@owner":
            return self.owner.id
        return self.items[tree[1]] if isinstance(tree, str) and len(tree) == 3 and tree[0] == "{" else tree


@pytest.fixture(scope="module")
async def shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """The items of ROWS (b and c below a, d below b; e assigned to the owner), and three users: a is the owner."""
    face, owner = RestFace(client, gateway.catalogue), await sign_up(client)
    made = [
        {**row, "status": ItemStatus(row["status"]), "due_at": row["due_at"] and parse_instant(row["due_at"])}
        for row in ROWS.values()
    ]
    made[-1]["assignee_id"] = owner.key
    names = dict(
        zip(ROWS, await insert_items(gateway, owner, await personal_workspace(face, owner), made), strict=True)
    )
    async with gateway.database.unit_of_work() as session:
        connection = await session.connection()
        for child, parent in (("b", "a"), ("c", "a"), ("d", "b")):
            keys = (key_of(names[parent]), key_of(names[child]))
            await connection.exec_driver_sql("update items set parent_id = $1 where id = $2", keys)
        await session.commit()
    users = {}
    for letter, name in (("a", "Ada Lovelace"), ("b", None), ("c", "Charles 100%")):
        account = owner if letter == "a" else await sign_up(client)
        await face.ok("update_user", account, {"full_name": name}, id=account.id)
        users[letter] = account.id
    return Shelf(owner, names, users)


@pytest.mark.parametrize(("tree", "expected"), ITEM_CASES, ids=lambda value: str(value) or "none")
async def test_filter_finds_items(face: Face, shelf: Shelf, tree: dict[str, Any], expected: str) -> None:
    found = await face.ok("list_items", shelf.owner, filter=shelf.filled(tree), count=True)
    assert shelf.letters(found["data"], shelf.items) == expected
    assert found["page"]["total"] == len(expected)


@pytest.mark.parametrize(("tree", "expected"), USER_CASES, ids=lambda value: str(value) or "none")
async def test_filter_finds_users(face: Face, shelf: Shelf, tree: dict[str, Any], expected: str) -> None:
    whole = {"and": [{"id": {"in": list(shelf.users.values())}}, tree]}
    found = await face.ok("list_users", shelf.owner, filter=whole)
    assert shelf.letters(found["data"], shelf.users) == expected


@pytest.mark.parametrize(("operator", "personal"), [("eq", True), ("ne", False)])
async def test_filter_on_a_derived_boolean(face: Face, ada: Account, operator: str, personal: bool) -> None:
    made = await make_workspace(face, ada)
    own = await face.ok("list_workspaces", ada, filter={"is_personal": {operator: True}})
    assert [row["is_personal"] for row in own["data"]] == [personal]
    assert ([row["id"] for row in own["data"]] == [made["id"]]) is not personal


async def test_filter_by_a_foreign_id_finds_what_an_unknown_one_does(face: Face, shelf: Shelf, eve: Account) -> None:
    foreign = shelf.items["a"]
    for identifier in (foreign, unknown_id("itm")):
        assert (await face.ok("list_items", eve, filter={"id": identifier}))["data"] == []
        assert (await face.ok("list_items", eve, filter={"id": {"ne": identifier}}))["data"] == []


def _operators(catalogue: Catalogue, resource: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    for name, value in tree.items():
        if name in ("and", "or"):
            for each in value:
                yield from _operators(catalogue, resource, each)
        elif name == "not":
            yield from _operators(catalogue, resource, value)
        else:
            kind = catalogue.resources[resource].fields[name]
            assert kind.scalar is not None
            for operator in value if isinstance(value, dict) else ["eq"]:
                yield kind.scalar.graphql, kind.nullable, str(operator)


def test_cases_cover_every_operator_of_every_kind_of_field(gateway: Gateway) -> None:
    catalogue = gateway.catalogue
    offered = {
        (kind.scalar.graphql, kind.nullable, str(operator))
        for resource in catalogue.resources.values()
        for name in resource.filters
        if (kind := resource.fields[name]).scalar is not None
        for operator in kind.operators
    }
    tried = {found for tree, _ in ITEM_CASES for found in _operators(catalogue, "item", tree)}
    tried |= {found for tree, _ in USER_CASES for found in _operators(catalogue, "user", tree)}
    assert offered - tried == set()
