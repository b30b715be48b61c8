"""Through REST's lists, rows, relations and includes nobody comes to what is not for them, and nothing is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from rest.routes import RestRoute, rest_routes
from services.catalogue import Kind, Operation
from tests.support.factories import key_of
from tests.support.reach.callers import Caller
from tests.support.reach.graph import FULL
from tests.support.reach.pair import PARTS, PATHS, Reach, Tally, tallied
from tests.support.reach.rest_paths import LIMIT, Includes, RestAnswers, includes, written
from tests.support.sampling import in_whole, sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 20
"""Of routes with those who read them, in a sample."""
MOST: Final = 100
"""Rows of a page that holds everything there is."""
DEEP: Final = 3
"""Relations that can be included below one another."""


def read_routes(reach: Reach) -> list[RestRoute]:
    """Whatever reads."""
    found = [each for each in rest_routes(reach.world.catalogue) if each.method == "GET"]
    assert len(found) > 20
    return found


def readers(reach: Reach, routes: Iterable[RestRoute]) -> list[tuple[RestRoute, Caller]]:
    """These routes with the callers whose scopes let them ask."""
    found = []
    for route in routes:
        ends = [route.resource] + ([route.relation.source] if route.relation else [])
        able = [each for each in reach.world.callers if all(end is not None and each.reads(end.name) for end in ends)]
        found += [(route, caller) for caller in able]
    return found


async def look_at_list(reach: Reach, way: str, operation: Operation, caller: Caller, tally: Tally) -> None:
    """A list with its size, and page by page to its end."""
    resource = operation.resource
    assert resource is not None
    path, expected = f"/{operation.address}", reach.world.listed(caller, operation)
    reply = await reach.rest(way, caller, path, tally, f"count=true&limit={MOST}")
    RestAnswers(reach.world, caller, tally, path).page(reply.json(), resource, {}, expected, MOST)
    found, query = [], "limit=3"
    while query:
        page = (await reach.rest(way, caller, path, tally, query)).json()
        found += [each["id"] for each in page["data"]]
        query = f"limit=3&after={page['page']['next']}" if page["page"]["next"] else ""
    if found != [each["id"] for each in reply.json()["data"]]:
        tally.faults.append(f"{caller.name}, {way}: {path} page by page shows {found}")


async def look_at_rows(reach: Reach, way: str, route: RestRoute, caller: Caller, tally: Tally) -> None:
    """Each row of the resource by its identifier, or each row's relation, whosever it is."""
    relation, source = route.relation, route.relation.source if route.relation else route.resource
    assert source is not None
    visible = reach.world.visible(caller, source)
    for row in reach.world.of(source):
        path = route.path.replace("{id}", source.encode(row.key))
        reply = await reach.rest(way, caller, path, tally, f"count=true&limit={MOST}" if relation else "")
        answers = RestAnswers(reach.world, caller, tally, path)
        if (reply.status == 200) != (row.key in visible) or reply.status not in (200, 404):
            tally.faults.append(f"{caller.name}, {way}: {path} is {reply.status}")
        elif reply.status == 200 and relation is not None:
            related = reach.world.related(caller, relation, row.key)
            answers.page(reply.json(), relation.target, {}, related, MOST)
        elif reply.status == 200:
            answers.row(reply.json(), source, {}, row)


@pytest.mark.parametrize("way", PATHS)
async def test_lists_rows_and_relations_show_what_is_for_the_caller(reach: Reach, way: str) -> None:
    with tallied(f"rest, {way}") as tally:
        for route, caller in sampled(readers(reach, read_routes(reach)), SHARE):
            if route.operation is not None and route.operation.kind is Kind.LIST:
                await look_at_list(reach, way, route.operation, caller, tally)
            elif "{id}" in route.path:
                await look_at_rows(reach, way, route, caller, tally)
    assert tally.faults == []


@pytest.mark.parametrize("way", PATHS)
async def test_whatever_is_included_is_for_the_caller(reach: Reach, way: str) -> None:
    with tallied(f"includes, {way}") as tally:
        for operation, caller, tree in sampled(including(reach, way), SHARE):
            await look_at_included(reach, way, operation, caller, tree, tally)
    assert tally.requests >= in_whole(40)
    assert tally.stayed_on(way)
    assert tally.faults == []


def including(reach: Reach, way: str) -> Iterator[tuple[Operation, Caller, Includes]]:
    """Every list with whatever can be included, as everybody who may ask for it."""
    for route, caller in readers(reach, read_routes(reach)):
        if route.operation is not None and route.operation.kind is Kind.LIST and route.resource is not None:
            # An admin sees everything, and costs plans of their own; the general path reads each level alike.
            depth = DEEP if FULL else 1 if caller.groups is None else DEEP - (way == "general")
            yield from ((route.operation, caller, tree) for tree in includes(route.resource, depth, PARTS[way]))


async def look_at_included(
    reach: Reach, way: str, operation: Operation, caller: Caller, tree: Includes, tally: Tally
) -> None:
    """The first rows of a list with what is around them."""
    resource, path = operation.resource, f"/{operation.address}"
    assert resource is not None
    query = f"limit={LIMIT}&include={written(tree)}"
    reply = await reach.rest(way, caller, path, tally, query)
    if caller.resources is not None and reply.status == 403:
        return
    assert reply.status == 200, reply.content
    expected = reach.world.listed(caller, operation)
    RestAnswers(reach.world, caller, tally, f"{path}?{query}").page(reply.json(), resource, tree, expected, LIMIT)


async def look_at_rows_with_includes(reach: Reach, way: str, route: RestRoute, caller: Caller, tally: Tally) -> None:
    """Each row of the resource by its identifier with what is around it, whosever it is."""
    resource = route.resource
    assert resource is not None
    (tree,) = includes(resource, 1)
    visible = reach.world.visible(caller, resource)
    for row in reach.world.of(resource):
        path = route.path.replace("{id}", resource.encode(row.key))
        reply = await reach.rest(way, caller, path, tally, f"include={written(tree)}")
        if caller.resources is not None and reply.status == 403:
            continue
        assert (reply.status == 200) == (row.key in visible), (caller.name, path, reply.content)
        if reply.status == 200:
            assert key_of(reply.json()["id"]) == row.key
            RestAnswers(reach.world, caller, tally, path).row(reply.json(), resource, tree, row)


@pytest.mark.parametrize("way", PATHS)
async def test_a_row_shows_what_is_included_only_to_those_whom_it_is_for(reach: Reach, way: str) -> None:
    with tallied(f"rows with includes, {way}") as tally:
        rows = [each for each in read_routes(reach) if each.relation is None and each.path.endswith("{id}")]
        related = [each for each in rows if each.resource and each.resource.relations]
        for route, caller in sampled(readers(reach, related), SHARE):
            await look_at_rows_with_includes(reach, way, route, caller, tally)
    assert tally.faults == []
