"""Filtered, sorted and paged lists agree with a model of them in plain Python, whatever is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.engine.gateway import Gateway
from services.sample.items.models import ItemStatus
from tests.support.accounts import Account, sign_up
from tests.support.backward import walk_back
from tests.support.faces import Face, RestFace
from tests.support.factories import Row, insert_items, personal_workspace
from tests.support.lists import ids, matches, ordered, walk

SIZE = 30
TITLES = ["ant", "antler", "bee", "beetle", "cat"]
DUES = [None, "2030-01-01T00:00:00.000000Z", "2030-01-02T00:00:00.000000Z", "2030-06-01T12:30:00.000001Z"]
STATUSES = [str(each) for each in ItemStatus]
PRIORITIES = [0, 1, 2, 3, 4]


def _operand(operator: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    many = operator in ("in", "not_in")
    return st.builds(lambda each: {operator: each}, st.lists(value, max_size=3) if many else value)


def _condition(name: str, value: st.SearchStrategy[Any], operators: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    asked = st.one_of([_operand(each, value) for each in operators])
    return st.builds(lambda each: {name: each}, asked)


EQUALITY = ["eq", "ne", "in", "not_in"]
ORDER = ["gt", "gte", "lt", "lte"]
CONDITIONS = st.one_of(
    _condition("title", st.sampled_from(TITLES), EQUALITY),
    _condition("title", st.sampled_from(["a", "E", "bee", "ant", "", "%"]), ["contains", "starts_with"]),
    _condition("status", st.sampled_from(STATUSES), EQUALITY),
    _condition("priority", st.integers(-1, 5), [*EQUALITY, *ORDER]),
    _condition("due_at", st.sampled_from(DUES[1:]), [*EQUALITY, *ORDER]),
    _condition("due_at", st.booleans(), ["is_null"]),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(lambda each: {"not": each}, inner),
        st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=5,
).filter(lambda tree: _depth(tree) <= 5)
SORTS = st.lists(
    st.sampled_from(["title", "status", "priority", "due_at", "created_at"]), unique=True, max_size=4
).flatmap(lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names)).map(list))


def _depth(tree: dict[str, Any]) -> int:
    below = [*tree.get("and", []), *tree.get("or", []), *([tree["not"]] if "not" in tree else [])]
    return 1 + max((_depth(each) for each in below), default=0)


@dataclass(frozen=True)
class Shelf:
    """Somebody's items as the faces show them."""

    owner: Account
    rows: Sequence[Row]


@pytest.fixture(scope="module")
async def shelf(client: httpx.AsyncClient, gateway: Gateway) -> Shelf:
    """Items in which every value occurs, in uneven combinations."""
    face, owner = RestFace(client, gateway.catalogue), await sign_up(client)
    made = [
        {
            "title": TITLES[number * 7 % len(TITLES)],
            "status": list(ItemStatus)[number * number % 4],
            "priority": PRIORITIES[number // 3 % len(PRIORITIES)],
            "due_at": _instant(DUES[number * number % 7 % len(DUES)]),
            "created_at": datetime(2020, 1, 1 + number % 4, tzinfo=UTC),
        }
        for number in range(SIZE)
    ]
    await insert_items(gateway, owner, await personal_workspace(face, owner), made)
    return Shelf(owner, (await face.ok("list_items", owner, limit=100))["data"])


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(tree=FILTERS, sort=SORTS, limit=st.integers(4, SIZE + 1))
async def test_walk_agrees_with_the_model(
    face: Face, shelf: Shelf, tree: dict[str, Any], sort: list[str], limit: int
) -> None:
    expected = ordered([row for row in shelf.rows if matches(tree, row)], sort)
    found = await walk(face, shelf.owner, "list_items", limit=limit, filter=tree, sort=sort)
    assert ids(found) == ids(expected)


@settings(
    max_examples=20, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    tree=st.none() | FILTERS, sort=SORTS, limit=st.integers(4, SIZE + 1), words=st.sampled_from([None, "bee", "-ant"])
)
async def test_walk_back_agrees_with_the_model(
    face: Face, shelf: Shelf, tree: dict[str, Any] | None, sort: list[str], limit: int, words: str | None
) -> None:
    listed = [row for row in shelf.rows if tree is None or matches(tree, row)]
    if words is not None:
        listed = [row for row in listed if row["title"] == words or (words[0] == "-" and row["title"] != words[1:])]
    found = await walk_back(face, shelf.owner, limit=limit, filter=tree, sort=sort, **_search(face, words))
    assert found == ids(ordered(listed, sort))


def _search(face: Face, words: str | None) -> dict[str, str]:
    return {} if words is None else {"search" if face.name == "graphql" else "q": words}
