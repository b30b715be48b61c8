"""Along every path of the schema graph, nobody comes to a row, a count or a text that is not for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

import pytest

from graphql_schema.schema.naming import root_field_name
from services.catalogue import Kind
from services.catalogue.naming import pascal
from tests.support.factories import key_of
from tests.support.reach.answers import Answers
from tests.support.reach.callers import Caller
from tests.support.reach.documents import Document, counted, documents, variables_of
from tests.support.reach.graph import Hop, Way, ordinary, paths, shallow
from tests.support.reach.pair import PARTS, PATHS, Reach, Tally, tallied
from tests.support.reach.start import started_at
from tests.support.sampling import in_whole, sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 32
"""Of documents with those who send them, in a sample."""
Walk = tuple[Document, Caller]


async def walk(reach: Reach, way: str, walks: Iterable[Walk], tally: Tally) -> None:
    """Go along all of these documents, or a sample of them."""
    for document, caller in sampled(walks, SHARE):
        tally.paths += counted(document.tree)
        variables = variables_of(document.tree, started_at(reach.world, caller))
        answer = await reach.graphql(way, caller, document.query, variables, tally)
        Answers(reach.world, caller, tally, way).check(answer["data"], document.tree, variables)


@pytest.mark.parametrize("way", PATHS)
async def test_no_path_of_the_graph_leads_to_what_is_not_ones_own(reach: Reach, way: str) -> None:
    with tallied(f"graph, {way}") as tally:
        await walk(reach, way, whole_graph(reach, way), tally)
    assert tally.stayed_on(way)
    assert tally.faults == []


def whole_graph(reach: Reach, way: str) -> Iterator[Walk]:
    """All paths of the graph, as every caller."""
    admin = [reach.world.caller("admin")]
    others = [each for each in reach.world.callers if each not in admin]
    for depth, callers in ((ordinary, others), (shallow, admin)):
        found = list(documents(reach.schema, paths(reach.schema, reach.schema.query_type, depth), PARTS[way]))
        yield from product(found, callers)


@pytest.mark.parametrize("way", PATHS)
async def test_rows_shown_as_nodes_are_those_shown_as_edges(reach: Reach, way: str) -> None:
    with tallied(f"nodes, {way}") as tally:
        of_two = paths(reach.schema, reach.schema.query_type, lambda root: 2)
        found = documents(reach.schema, of_two, PARTS[way], rows="nodes")
        await walk(reach, way, product(found, reach.world.callers), tally)
    assert tally.faults == []


@pytest.mark.parametrize("way", PATHS)
async def test_what_a_write_shows_leads_no_further_than_a_read(reach: Reach, way: str) -> None:
    with tallied(f"writes, {way}") as tally:
        for document, caller in sampled(product(updates(reach, way, depth=3), reach.world.callers), SHARE):
            variables = variables_of(document.tree, started_at(reach.world, caller))
            answer = await reach.graphql(way, caller, document.query, variables, tally)
            (hop,) = document.tree
            shown = (answer["data"] or {}).get(hop.field)
            if shown is not None:
                (value,) = shown.values()
                key = key_of(variables[hop.type])
                Answers(reach.world, caller, tally, way).check_row(value, hop, document.tree[hop], key)
    assert tally.checked >= in_whole(30)
    assert tally.faults == []


def updates(reach: Reach, way: str, depth: int) -> list[Document]:
    """Updates that change nothing, and show their row with everything around it; one in a document."""
    found: list[Document] = []
    for operation in reach.world.catalogue.operations.values():
        if operation.kind is Kind.UPDATE and operation.result is operation.resource:
            assert operation.resource is not None
            kind = pascal(operation.resource.name)
            below = paths(reach.schema, reach.schema.type_map[kind], lambda root: depth - 1)
            hop = Hop(root_field_name(operation), kind, Way.ONE, ("id",))
            found += documents(reach.schema, [(hop, *path) for path in below], PARTS[way], mutation=True)
    return found
