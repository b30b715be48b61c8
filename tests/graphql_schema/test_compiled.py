"""Documents are planned when they come again, and what is remembered of them is bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from starlette.routing import Route

from gateway.settings import Settings
from graphql_schema.endpoint import GraphQLEndpoint
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.asgi import graphql, observed

SIZE: Final = 3


@pytest.fixture(scope="module")
async def small(settings: Settings) -> AsyncIterator[Running]:
    """A gateway that remembers three plans, and makes them on second sight."""
    changed = {"PLAN_CACHE_SIZE": SIZE, "PLAN_ON_SIGHT": 2, "COMPILED_READS": True}
    async with running(settings.model_copy(update=changed)) as found:
        yield found


@pytest.fixture
async def somebody(small: Running) -> Account:
    """Somebody signed in there."""
    return await sign_up(small.client)


async def ways(small: Running, actor: Account, *documents: str, variables: Any = None) -> list[str | None]:
    """The ways in which documents are answered, one after the other."""
    with observed() as seen:
        for document in documents:
            answer = await graphql(small.app, {"query": document, "variables": variables}, actor.headers)
            assert "errors" not in answer.json(), answer.content
    return [each.path for each in seen]


async def test_document_is_planned_when_it_comes_again(small: Running, somebody: Account) -> None:
    document = "{ items(first: 7) { nodes { id } } }"
    assert await ways(small, somebody, document, document, document) == ["general", "compiled", "compiled"]


async def test_values_in_variables_share_a_plan(small: Running, somebody: Account) -> None:
    document = "query($n: Int) { items(first: $n) { nodes { id title } } }"
    assert await ways(small, somebody, document, variables={"n": 1}) == ["general"]
    assert await ways(small, somebody, document, document, variables={"n": 2}) == ["compiled", "compiled"]


async def test_introspection_stays_on_the_general_path(small: Running, somebody: Account) -> None:
    document = "{ __schema { queryType { name } } me { id } }"
    assert await ways(small, somebody, *[document] * 3) == ["general"] * 3


async def test_values_written_into_documents_leave_no_plans_behind(small: Running, somebody: Account) -> None:
    before = remembered(small)
    documents = [f'{{ items(search: "word{number}") {{ nodes {{ id }} }} }}' for number in range(4 * SIZE)]
    assert set(await ways(small, somebody, *documents)) == {"general"}
    assert remembered(small) == before


async def test_no_more_is_remembered_than_the_setting_says(small: Running, somebody: Account) -> None:
    for number in range(4 * SIZE):
        document = f"{{ items(first: {number + 1}) {{ nodes {{ title }} }} }}"
        assert await ways(small, somebody, document, document) == ["general", "compiled"]
    operations, plans = remembered(small)
    assert (len(operations), len(plans)) == (SIZE, SIZE)


async def test_directives_have_a_plan_for_each_combination(small: Running, somebody: Account) -> None:
    document = "query($a: Boolean!) { me { id username @include(if: $a) } }"
    shown = []
    for included in (True, True, False):
        body = {"query": document, "variables": {"a": included}}
        answer = await graphql(small.app, body, somebody.headers)
        shown.append(sorted(answer.json()["data"]["me"]))
    assert shown == [["id", "username"], ["id", "username"], ["id"]]


def remembered(small: Running) -> tuple[list[Any], list[Any]]:
    """The operations and the plans that are remembered."""
    (route,) = [each for each in small.app.router.routes if isinstance(each, Route) and each.path == "/graphql"]
    endpoint = route.app
    assert isinstance(endpoint, GraphQLEndpoint)
    assert small.gateway.reader is not None
    return list(endpoint._compiled._remembered), list(small.gateway.reader.plans._remembered)
