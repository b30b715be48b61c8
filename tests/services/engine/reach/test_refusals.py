"""What a caller may not see is answered, to the byte, as what does not exist; what is unique tells of no other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

import orjson
import pytest
from sqlalchemy import func, select

from services.catalogue import Operation
from services.catalogue.resources import Resource
from tests.support.reach.callers import Caller
from tests.support.reach.graph import FULL
from tests.support.reach.pair import PATHS, Reach, Tally, tallied
from tests.support.reach.refusals import Asked, mutation, of_node, of_reference, of_relation, of_row, references, same
from tests.support.sampling import in_whole, sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 8
"""Of those who ask for what there is to ask for, in a sample."""


def hidden(reach: Reach, way: str, caller: Caller, resource: Resource[Any]) -> list[str]:
    """Identifiers of rows that the caller may not see, of different groups."""
    by_group = {row.group: resource.encode(row.key) for row in reach.world.foreign(caller, resource)}
    return list(by_group.values())[: 3 if way == "compiled" or FULL else 1]


def on_rows(reach: Reach) -> Iterator[tuple[Resource[Any], Sequence[Asked]]]:
    """Whatever takes an identifier of a row of a resource."""
    catalogue = reach.world.catalogue
    for resource in catalogue.resources.values():
        operations = [each for each in catalogue.operations.values() if each.resource is resource and each.on_a_row]
        asked = [request for each in operations for request in of_row(catalogue, each)]
        asked += of_node(resource)
        if catalogue.get_of(resource) is not None:
            asked += [of_relation(each) for each in resource.relations.values() if each.many]
        yield resource, asked


async def sizes(reach: Reach) -> list[int]:
    """How many rows of each resource there are."""
    async with reach.ways["compiled"].gateway.database.reading() as session:
        tables = [each.table for each in reach.world.catalogue.resources.values()]
        return [(await session.execute(select(func.count()).select_from(each))).scalar_one() for each in tables]


@pytest.mark.parametrize("way", PATHS)
async def test_a_row_that_is_hidden_is_one_that_does_not_exist(reach: Reach, way: str) -> None:
    before = await sizes(reach)
    refused = 0
    with tallied(f"refusals, {way}") as tally:
        for (resource, requests), caller in sampled(product(on_rows(reach), reach.world.callers), SHARE):
            for identifier in hidden(reach, way, caller, resource):
                for asked in requests:
                    refused += await same(reach, way, caller, asked, identifier, tally) == 404
    assert refused >= in_whole(150)
    assert tally.faults == []
    assert await sizes(reach) == before


def taking_references(reach: Reach) -> Iterator[tuple[Operation, str, Resource[Any]]]:
    """Operations whose input names rows, in which field, and of what."""
    for operation in reach.world.catalogue.operations.values():
        for field, identifier in references(operation):
            yield operation, field, reach.world.catalogue.by_prefix[identifier.prefix]


def rows_to_change(reach: Reach, operation: Operation, caller: Caller) -> Sequence[str | None]:
    """Identifiers of rows that an operation can be tried on."""
    if not operation.on_a_row or operation.resource is None:
        return [None]
    return [operation.resource.encode(key) for key in reach.world.visible(caller, operation.resource)][:2]


@pytest.mark.parametrize("way", PATHS)
async def test_a_hidden_row_in_an_input_is_one_that_does_not_exist(reach: Reach, way: str) -> None:
    before = await sizes(reach)
    refused = 0
    with tallied(f"references, {way}") as tally:
        for (operation, field, target), caller in sampled(
            product(taking_references(reach), reach.world.callers), SHARE
        ):
            for row in rows_to_change(reach, operation, caller):
                for identifier in hidden(reach, way, caller, target):
                    for asked in of_reference(operation, field, row):
                        refused += await same(reach, way, caller, asked, identifier, tally) == 422
    assert refused >= in_whole(30)
    assert tally.faults == []
    assert await sizes(reach) == before


@pytest.mark.parametrize("face", ["rest", "graphql"])
async def test_a_name_that_is_taken_elsewhere_is_free(reach: Reach, face: str) -> None:
    caller, labels, tally = reach.world.caller("editor"), reach.world.catalogue.resources["label"], Tally()
    operation = reach.world.catalogue.operations["create_label"]
    statuses = []
    for name in (reach.world.foreign(caller, labels)[0].values["name"], "nobody has this"):
        data = {"name": name}
        asked = Asked("POST", "/api/v1/labels", data) if face == "rest" else mutation(operation, data)
        # The caller gives the name, so they may see it come back: only the way in which it is answered counts here.
        reply = await reach.send("compiled", caller, asked.method, asked.path, Tally(), content=asked.body)
        statuses.append((reply.status, "errors" in reply.json()))
    assert statuses == [(201 if face == "rest" else 200, False)] * 2
    mine = await reach.rest("compiled", caller, "/labels", Tally(), "limit=100")
    for each in mine.json()["data"]:
        if each["id"] not in {labels.encode(key) for key in reach.world.visible(caller, labels)}:
            gone = await reach.rest("compiled", caller, f"/labels/{each['id']}", tally, method="DELETE")
            assert gone.status == 204


@pytest.mark.parametrize("field", ["email", "username"])
async def test_a_taken_address_says_no_more_than_that(reach: Reach, field: str) -> None:
    users = reach.world.catalogue.resources["user"]
    taken = next(row for row in reach.world.of(users) if row.group == "gone").values[field]
    data = {"email": "new@example.com", "username": "somebody-new", "password": "correct horse", field: taken}
    with tallied("taken") as tally:
        anonymous = reach.world.caller("anonymous")
        reply = await reach.rest("compiled", anonymous, "/users", tally, method="POST", content=orjson.dumps(data))
    assert (reply.status, [each["field"] for each in reply.json()["errors"]]) == (409, [field])
    assert tally.faults == []
