"""The compiled path and the general path answer every document alike, whoever asks."""

from __future__ import annotations

from typing import Final

import pytest
from graphql import parse, validate
from hypothesis import strategies as st

from tests.services.reader.conftest import Pair
from tests.support.asgi import graphql, observed
from tests.support.generated.choices import Choices, chosen
from tests.support.generated.comparing import Tally, comparable, difference
from tests.support.generated.documents import LARGE, SMALL, Asked, Document
from tests.support.generated.material import NOT_IDENTIFIERS
from tests.support.generated.running import FUZZ, TAKEN, run, size
from tests.support.generated.shrinking import shrunk
from tests.support.generated.village import Caller
from tests.support.sampling import in_whole

DOCUMENTS: Final = 2_000
LEAST_COMPILED: Final = 0.6
TYPED: Final = "application/graphql-response+json"

Question = tuple[Caller, str, Asked]
"""Who asks, what they accept, and what they ask."""


def questions(pair: Pair) -> st.SearchStrategy[Question]:
    """Documents, and who sends them: mostly somebody who sees something."""

    def make(choices: Choices) -> Question:
        callers = pair.village.callers
        caller = choices.of(callers if choices.chance(30) else callers[:4])
        accept = choices.of((TYPED, "application/json"))
        return caller, accept, Document(pair.schema, pair.material, choices, LARGE if FUZZ else SMALL).write()

    return chosen(make)


async def compare(pair: Pair, question: Question, tally: Tally) -> str | None:
    """How the answers to one document differ, if they do."""
    caller, accept, asked = question
    headers = {**caller.headers, "Accept": accept}
    with observed() as seen:
        one = comparable(await graphql(pair.compiled.app, asked.body(), headers))
        other = comparable(await graphql(pair.reference.app, asked.body(), headers))
    assert seen[1].path != "compiled"
    tally.asked += 1
    tally.compiled += seen[0].path == "compiled"
    tally.answered += one["errors"] is None
    if seen[0].path != "compiled" and one["errors"] and other["errors"] and one["data"] == other["data"]:
        # One and the same path, on which it is a matter of time which errors below a null are still reported.
        return None
    if "internal_error" in str(one["errors"]):
        return f"A fault of ours.\n\n{told(caller, asked)}\n\n{one['errors']}"
    return None if one == other else difference(told(caller, asked), one, other)


def check(pair: Pair, question: Question, tally: Tally) -> None:
    """Fails with the smallest document that is found to be answered differently."""
    caller, accept, asked = question

    def differs(smaller: Asked) -> str | None:
        return pair.loop.run_until_complete(compare(pair, (caller, accept, smaller), Tally()))

    if pair.loop.run_until_complete(compare(pair, question, tally)) is None:
        return
    smallest = shrunk(pair.schema, asked, lambda each: differs(each) is not None)
    pytest.fail(differs(smallest) or "The paths differ now and then:\n\n" + told(caller, asked), pytrace=False)


def told(caller: Caller, asked: Asked) -> str:
    """A question for a reader."""
    return f"{asked.query}\n\noperationName: {asked.operation_name}\nvariables: {asked.variables}\nactor: {caller.name}"


@pytest.mark.sampled
@pytest.mark.parametrize("part", TAKEN)
def test_both_paths_answer_every_document_alike(pair: Pair, part: int) -> None:
    tally = Tally()
    run(part, size(DOCUMENTS), questions(pair), lambda each: check(pair, each, tally))
    assert tally.asked >= size(DOCUMENTS)
    assert tally.share >= in_whole(LEAST_COMPILED), tally
    assert tally.answered >= in_whole(0.4) * tally.asked, tally


@pytest.mark.parametrize("caller", ["ada, owner", "nobody"])
@pytest.mark.parametrize("known", [0, 1])
async def test_identifiers_that_are_none_are_told_alike_on_both_paths(pair: Pair, caller: str, known: int) -> None:
    types = pair.material.resources
    ids = [each for name in types for each in (*pair.material.identifiers(name)[:known], *NOT_IDENTIFIERS)]
    asked = Asked("query($ids: [ID!]!) { me { id } nodes(ids: $ids) { __typename id } }", None, {"ids": ids})
    tally = Tally()
    assert await compare(pair, (pair.village.caller(caller), TYPED, asked), tally) is None
    assert (tally.asked, tally.answered) == (1, 0)


def test_generated_documents_are_valid(pair: Pair) -> None:
    def is_valid(question: Question) -> None:
        query = question[2].query
        if not question[2].flawed:
            assert validate(pair.schema, parse(query)) == [], query

    run(0, 60, questions(pair), is_valid)
