"""The order of what a caller sees, with its cursors and sizes, is not moved by what they do not see."""

from __future__ import annotations

from typing import Final

import pytest

from graphql_schema.schema.naming import root_field_name
from services.catalogue import Kind
from tests.support.reach.callers import Caller
from tests.support.reach.pair import PATHS, Reach, Tally, tallied
from tests.support.reach.shaking import shaken
from tests.support.sampling import sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 8
"""Of those who look, in a sample."""
ROUNDS: Final = {
    "what is not shared": {"beta", "ofben", "ofann", "ofroot", "gone", "mailann", "mailben", "mailroot", "maildora"},
    "what is shared": {"shared", "alpha", "ofolga", "ofvic", "ofed", "expired", "mailolga", "mailed", "mailvic"},
}
"""Groups whose rows and fields are changed; whoever sees none of them must notice nothing."""


async def ordered(reach: Reach, way: str, caller: Caller, tally: Tally) -> dict[str, bytes]:
    """Every list in every order on both faces, as it is sent."""
    found = {}
    for operation in reach.world.catalogue.operations.values():
        resource = operation.resource
        if operation.kind is not Kind.LIST or resource is None or not caller.reads(resource.name):
            continue
        for field in (*resource.sorts, "id"):
            for sign, direction in (("", "ASC"), ("-", "DESC")):
                path, query = f"/{operation.address}", f"count=true&sort={sign}{field}"
                reply = await reach.rest(way, caller, path, tally, f"{query}&limit=2")
                assert reply.status == 200
                found[f"{path}?{query}"] = reply.content + reply.headers.get("link", "").encode()
                order = f"orderBy: [{{ field: {field.upper()}, direction: {direction} }}]"
                page = "{ totalCount pageInfo { hasNextPage endCursor } edges { cursor node { id } } }"
                back = "{ pageInfo { hasPreviousPage startCursor } edges { cursor node { id } } }"
                name = root_field_name(operation)
                document = f"{{ {name}(first: 100, {order}) {page} back: {name}(last: 2, {order}) {back} }}"
                found[document] = str(await reach.graphql(way, caller, document, {}, tally)).encode()
    return found


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("groups", ROUNDS.values(), ids=ROUNDS)
async def test_what_is_hidden_moves_nothing(reach: Reach, way: str, groups: set[str]) -> None:
    every = [
        each for each in reach.world.callers if each.key is not None and not any(each.is_in(name) for name in groups)
    ]
    callers = sampled(every, SHARE)
    assert callers
    with tallied(f"orders, {way}") as tally:
        before = {each.name: await ordered(reach, way, each, tally) for each in callers}
        async with shaken(reach.ways[way].gateway, reach.world, groups) as changed:
            after = {each.name: await ordered(reach, way, each, tally) for each in callers}
    assert changed > 10
    moved = [f"{name}: {each}" for name, found in before.items() for each in found if found[each] != after[name][each]]
    assert moved == []
    assert tally.faults == []
