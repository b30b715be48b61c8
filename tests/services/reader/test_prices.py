"""A question has one price on both faces, and a bound where it can't be planned. Nothing is read for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from graphql_schema.documents.complexity import bound_of
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.compiled import CompiledOperations
from graphql_schema.schema.schema import build_schema
from services.catalogue import Actor, Problem
from services.engine.payment import Payment, PricedError
from services.queries import costs
from services.queries.costs import MINIMUM
from tests.services.reader.conftest import Pair
from tests.services.reader.test_equality import Question as DocumentQuestion
from tests.services.reader.test_equality import questions as document_questions
from tests.services.reader.test_rest_equality import Question as RestQuestion
from tests.services.reader.test_rest_equality import questions as rest_questions
from tests.support.asgi import graphql, observed, request
from tests.support.generated.comparing import Tally
from tests.support.generated.running import TAKEN, run, size
from tests.support.generated.village import Caller

DOCUMENTS: Final = 800
REQUESTS: Final = 240
LEAST_PRICED: Final = 0.5


@pytest.fixture(autouse=True)
def only_priced() -> Iterator[None]:
    """Requests end where they would be paid for."""

    async def pay(self: Payment, points: int) -> None:
        self.cost = max(points, MINIMUM)
        raise PricedError(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Payment, "pay", pay)
        yield


async def price(pair: Pair, caller: Caller, body: dict[str, Any], tally: Tally) -> int | None:
    """What a document costs; None where it does not come to that."""
    asked = {**body, "extensions": {"cost": True}}
    with observed() as seen:
        answer = await graphql(pair.compiled.app, asked, caller.headers)
    found: int | None = answer.json().get("extensions", {}).get("cost")
    tally.asked += 1
    tally.answered += found is not None
    tally.compiled += seen[0].path is None and found is not None
    return found


@pytest.mark.sampled
@pytest.mark.parametrize("part", TAKEN)
def test_bound_of_a_document_is_never_less_than_what_its_plan_comes_to(pair: Pair, part: int) -> None:
    tally, gateway = Tally(), pair.compiled.gateway
    core = build_schema(gateway.catalogue)._schema
    documents = DocumentCache(core, suggestions=False)
    operations = CompiledOperations(core, gateway.catalogue, documents, size=10, sight=1)

    def check(question: DocumentQuestion) -> None:
        _, _, asked = question
        body = asked.body()
        text, name, variables = body["query"], body.get("operationName"), body.get("variables") or {}
        prepared = documents.prepare(text)
        tally.asked += 1
        if prepared.document is None or prepared.structure or prepared.values:
            return
        try:
            definition = prepared.operation(name)
        except Problem:
            return
        operation, _ = operations.find(text, name)
        if operation is None:
            return
        plan, values = operations.planned(operation, gateway, Actor(), variables)
        if plan is None:
            return
        judged = plan.judge(values, gateway.limits)
        no_limit = gateway.limits.model_copy(update={"MAX_ROWS": 10**9})
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(costs, "MAX_ROWS", 10**9)
            most = bound_of(core, gateway.catalogue, prepared.document, definition, variables, no_limit)
        tally.compiled += 1
        if most.rows < judged.rows or most.points < judged.points or not {*most.related} >= {*judged.related}:
            pytest.fail(f"{most} at most, {judged} planned\n\n{text}\n\n{variables}", pytrace=False)

    run(part, size(DOCUMENTS), document_questions(pair), check)
    assert tally.compiled >= LEAST_PRICED * tally.asked, tally


@pytest.mark.sampled
@pytest.mark.parametrize("part", TAKEN)
def test_rest_costs_what_the_document_of_the_same_question_costs(pair: Pair, part: int) -> None:
    tally = Tally()

    async def check(question: RestQuestion) -> None:
        caller, asked = question
        headers = {**caller.headers, "X-Dry-Run": "cost"}
        path, query = f"/api/v1{asked.path}", asked.query.encode()
        told = await request(pair.compiled.app, "GET", path, query=query, headers=headers)
        other = await price(pair, caller, {"query": asked.document()}, tally)
        if told.status == 200 and other != told.json()["cost"]:
            pytest.fail(f"REST {told.json()}, GraphQL {other}\n\n{asked.path}?{asked.query}", pytrace=False)

    run(part, size(REQUESTS), rest_questions(pair), lambda each: pair.loop.run_until_complete(check(each)))
    assert tally.compiled >= LEAST_PRICED * tally.asked, tally
