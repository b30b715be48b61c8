"""What the caller cannot see answers no filter and no search, on no face, at the top and below other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import orjson
import pytest

from graphql_schema.schema.naming import root_field_name
from services.catalogue import Kind, Operation, Relation
from services.catalogue.naming import camel, pascal
from services.catalogue.resources import Resource
from tests.support.faces import graphql_filter
from tests.support.factories import key_of
from tests.support.reach.callers import Caller
from tests.support.reach.graph import FULL
from tests.support.reach.pair import PATHS, Reach, Tally, tallied
from tests.support.reach.questions import EVERY, Question, questions, sharp
from tests.support.reach.rows import Marked
from tests.support.sampling import in_whole, sampled

pytestmark = pytest.mark.sampled

SHARE: Final = 1 / 20
"""Of lists and relations with those who ask, in a sample."""
AT_ONCE: Final = 40
"""Lists in one document."""
PAGE: Final = "(first: 100, filter: $f{0}) {{ totalCount nodes {{ id }} }}"


def lists(reach: Reach) -> Iterator[tuple[Operation, Resource[Any], Caller]]:
    """Every list, and whoever may ask for it and does not see everything anyway."""
    for operation in reach.world.catalogue.operations.values():
        resource = operation.resource
        if operation.kind is Kind.LIST and resource is not None:
            for caller in reach.world.callers:
                if caller.groups is not None and caller.reads(resource.name):
                    yield operation, resource, caller


def asked_on(way: str) -> Callable[..., Iterator[Question]]:
    """What is worth asking: a list on the general path takes a statement of its own, of the same conditions."""
    return questions if way == "compiled" or FULL else sharp


def compare(
    reach: Reach, caller: Caller, asked: Sequence[Question], rows: Mapping[UUID, Marked], lists: Any, tally: Tally
) -> None:
    """The lists `l0`, `l1`… of an answer hold what they are asked for, of these rows."""
    for number, question in enumerate(asked):
        found = lists[f"l{number}"]
        expected = question.answer(reach.world, caller, rows)
        tally.checked += 1
        if {key_of(each["id"]) for each in found["nodes"]} != expected or found["totalCount"] != len(expected):
            tally.faults.append(f"{caller.name}: {question} finds {found} instead of {expected}")


def variables(asked: Sequence[Question]) -> dict[str, Any]:
    return {f"f{number}": graphql_filter(each.resource, each.plain) for number, each in enumerate(asked)}


def heads(asked: Sequence[Question]) -> str:
    return ", ".join(f"$f{number}: {pascal(each.resource.name)}Filter" for number, each in enumerate(asked))


@pytest.mark.parametrize("way", PATHS)
async def test_no_filter_tells_of_what_is_hidden(reach: Reach, way: str) -> None:
    with tallied(f"filters, {way}") as tally:
        for operation, resource, caller in sampled(lists(reach), SHARE):
            rows = reach.world.listed(caller, operation)
            every = tuple(asked_on(way)(reach.world, resource, caller))
            for asked in (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE)):
                name = root_field_name(operation)
                parts = " ".join(f"l{number}: {name}{PAGE.format(number)}" for number in range(len(asked)))
                query = f"query({heads(asked)}) {{ {parts} }}"
                answer = await reach.graphql(way, caller, query, variables(asked), tally)
                assert "errors" not in answer, (query, answer["errors"])
                compare(reach, caller, asked, rows, answer["data"], tally)
    assert tally.checked >= in_whole(300)
    assert tally.faults == []


def relations(reach: Reach) -> Iterator[tuple[Operation, Relation, Caller]]:
    """Every relation to many, how to get a row that it is of, and whoever may and does not see everything anyway."""
    for resource in reach.world.catalogue.resources.values():
        get = reach.world.catalogue.get_of(resource)
        for relation in resource.relations.values() if get is not None else ():
            for caller in reach.world.callers:
                able = caller.reads(relation.source.name) and caller.reads(relation.target.name)
                if get is not None and relation.many and able and caller.groups is not None:
                    yield get, relation, caller


@pytest.mark.parametrize("way", PATHS)
async def test_no_filter_below_a_row_tells_of_what_is_hidden(reach: Reach, way: str) -> None:
    with tallied(f"filters below rows, {way}") as tally:
        for get, relation, caller in sampled(relations(reach), SHARE):
            asked = tuple(sharp(reach.world, relation.target, caller))
            parents = list(reach.world.visible(caller, relation.source).values())
            for parent in parents[: 3 if way == "compiled" or FULL else 1]:
                await ask_below(reach, way, get, relation, caller, parent, asked, tally)
    assert tally.checked >= in_whole(500)
    assert tally.faults == []


async def ask_below(
    reach: Reach, way: str, get: Operation, relation: Relation, caller: Caller, parent: Marked,
    asked: Sequence[Question], tally: Tally,
) -> None:  # fmt: skip
    """Questions to a relation of one row."""
    name = camel(relation.name)
    parts = " ".join(f"l{number}: {name}{PAGE.format(number)}" for number in range(len(asked)))
    query = f"query($id: ID!, {heads(asked)}) {{ row: {root_field_name(get)}(id: $id) {{ {parts} }} }}"
    given = {"id": relation.source.encode(parent.key), **variables(asked)}
    answer = await reach.graphql(way, caller, query, given, tally)
    assert "errors" not in answer, (query, answer["errors"])
    rows = reach.world.related(caller, relation, parent.key)
    compare(reach, caller, asked, rows, answer["data"]["row"], tally)


@pytest.mark.parametrize("way", PATHS)
async def test_no_filter_of_a_query_string_tells_of_what_is_hidden(reach: Reach, way: str) -> None:
    with tallied(f"filters of REST, {way}") as tally:
        for operation, resource, caller in sampled(lists(reach), SHARE):
            rows = reach.world.listed(caller, operation)
            for question in sharp(reach.world, resource, caller):
                query = urlencode({"limit": 100, "count": "true", "filter": orjson.dumps(question.plain).decode()})
                page = (await reach.rest(way, caller, f"/{operation.address}", tally, query)).json()
                expected = question.answer(reach.world, caller, rows)
                found = {key_of(each["id"]) for each in page["data"]}
                tally.checked += 1
                if found != expected or page["page"]["total"] != len(expected):
                    tally.faults.append(f"{caller.name}, {way}: {question} finds {found} instead of {expected}")
    assert tally.checked >= in_whole(200)
    assert tally.faults == []


@pytest.mark.parametrize("way", PATHS)
async def test_no_search_finds_what_is_hidden(reach: Reach, way: str) -> None:
    with tallied(f"search, {way}") as tally:
        for operation, resource, caller in sampled(lists(reach), SHARE):
            rows = reach.world.listed(caller, operation)
            texts = [row.values[resource.search[0]] for row in reach.world.of(resource)] if resource.search else []
            for text in ([*texts, EVERY.rstrip("-")]) if texts else []:
                every = text == EVERY.rstrip("-")
                own = {key for key, row in rows.items() if every or row.values[resource.search[0]] == text}
                for found, total in await search(reach, way, operation, caller, text, tally):
                    tally.checked += 1
                    if (found != own and every) or not own <= found <= set(rows) or total != len(found):
                        tally.faults.append(f"{caller.name}, {way}: {operation.name} of {text} finds {found}")
    assert tally.checked >= in_whole(100)
    assert tally.faults == []


async def search(
    reach: Reach, way: str, operation: Operation, caller: Caller, text: str, tally: Tally
) -> list[tuple[set[UUID], int]]:
    """What a search finds on each face, and how much it says there is."""
    query = urlencode({"limit": 100, "count": "true", "q": text})
    page = (await reach.rest(way, caller, f"/{operation.address}", tally, query)).json()
    name = root_field_name(operation)
    document = f"query($q: String) {{ found: {name}(first: 100, search: $q) {{ totalCount nodes {{ id }} }} }}"
    found = (await reach.graphql(way, caller, document, {"q": text}, tally))["data"]["found"]
    return [
        ({key_of(each["id"]) for each in page["data"]}, page["page"]["total"]),
        ({key_of(each["id"]) for each in found["nodes"]}, found["totalCount"]),
    ]
