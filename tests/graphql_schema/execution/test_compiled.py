"""Documents are planned when they come again, and what is remembered of them is bounded."""

from __future__ import annotations

from typing import Any, Final

from graphql_schema.execution.compiled import CompiledOperations
from tests.support.accounts import Account
from tests.support.apps import Running
from tests.support.asgi import graphql, observed

SIZE: Final = 3


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


async def test_values_written_into_documents_leave_no_plans_behind(
    small: Running, somebody: Account, compiled: CompiledOperations
) -> None:
    before = remembered(small, compiled)
    documents = [f'{{ items(search: "word{number}") {{ nodes {{ id }} }} }}' for number in range(4 * SIZE)]
    assert set(await ways(small, somebody, *documents)) == {"general"}
    assert remembered(small, compiled) == before


async def test_no_more_is_remembered_than_the_setting_says(
    small: Running, somebody: Account, compiled: CompiledOperations
) -> None:
    for number in range(4 * SIZE):
        document = f"{{ items(first: {number + 1}) {{ nodes {{ title }} }} }}"
        assert await ways(small, somebody, document, document) == ["general", "compiled"]
    operations, plans = remembered(small, compiled)
    assert (len(operations), len(plans)) == (SIZE, SIZE)


async def test_directives_have_a_plan_for_each_combination(small: Running, somebody: Account) -> None:
    document = "query($a: Boolean!) { me { id username @include(if: $a) } }"
    shown = []
    for included in (True, True, False):
        body = {"query": document, "variables": {"a": included}}
        answer = await graphql(small.app, body, somebody.headers)
        shown.append(sorted(answer.json()["data"]["me"]))
    assert shown == [["id", "username"], ["id", "username"], ["id"]]


def remembered(small: Running, compiled: CompiledOperations) -> tuple[list[Any], list[Any]]:
    """The operations and the plans that are remembered."""
    assert small.gateway.reader is not None
    return list(compiled._remembered), list(small.gateway.reader.plans._remembered)
