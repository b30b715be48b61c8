"""A question has one price: on both faces, and whichever way it goes. Nothing is read for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from services.engine.payment import PricedError, Till
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

    async def pay(self: Till, points: int) -> None:
        self.cost = max(points, MINIMUM)
        raise PricedError(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Till, "pay", pay)
        yield


async def prices(pair: Pair, caller: Caller, body: dict[str, Any], tally: Tally) -> tuple[int | None, int | None]:
    """What a document costs by the compiled query, and by the document itself; None where it does not come to that."""
    asked = {**body, "extensions": {"cost": True}}
    with observed() as seen:
        answers = [await graphql(app, asked, caller.headers) for app in (pair.compiled.app, pair.reference.app)]
    assert seen[1].path == "general"
    one, other = (each.json().get("extensions", {}).get("cost") for each in answers)
    tally.asked += 1
    tally.answered += other is not None
    tally.compiled += seen[0].path is None and one is not None
    return one, other


@pytest.mark.sampled
@pytest.mark.parametrize("part", TAKEN)
def test_document_costs_the_same_whichever_way_it_goes(pair: Pair, part: int) -> None:
    tally = Tally()

    def check(question: DocumentQuestion) -> None:
        caller, _, asked = question
        one, other = pair.loop.run_until_complete(prices(pair, caller, asked.body(), tally))
        if one != other:
            pytest.fail(f"{one} compiled, {other} by the document\n\n{asked.query}\n\n{asked.variables}", pytrace=False)

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
        one, other = await prices(pair, caller, {"query": asked.document()}, tally)
        if told.status == 200 and {one, other} != {told.json()["cost"]}:
            pytest.fail(f"REST {told.json()}, GraphQL {one} and {other}\n\n{asked.path}?{asked.query}", pytrace=False)

    run(part, size(REQUESTS), rest_questions(pair), lambda each: pair.loop.run_until_complete(check(each)))
    assert tally.compiled >= LEAST_PRICED * tally.asked, tally
