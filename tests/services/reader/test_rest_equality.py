"""REST answers every `include`, `fields` and list alike on both paths, and like the selection that says the same."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import strategies as st

from tests.services.reader.conftest import Pair
from tests.support.asgi import Reply, graphql, observed, request
from tests.support.generated.choices import Choices, chosen
from tests.support.generated.comparing import Tally
from tests.support.generated.rest_requests import RestAsked, RestRequests
from tests.support.generated.running import TAKEN, run, size
from tests.support.generated.village import Caller
from tests.support.sampling import in_whole

REQUESTS: Final = 400
LEAST_COMPILED: Final = 0.6

Question = tuple[Caller, RestAsked]


def questions(pair: Pair) -> st.SearchStrategy[Question]:
    """Requests, and who sends them."""
    requests = RestRequests(pair.gateway.catalogue, pair.material)

    def make(choices: Choices) -> Question:
        callers = pair.village.callers
        return choices.of(callers if choices.chance(30) else callers[:4]), requests.make(choices)

    return chosen(make)


async def check(pair: Pair, question: Question, tally: Tally) -> None:
    """One request on both applications, and its selection through GraphQL."""
    caller, asked = question
    told = f"GET {asked.path}?{asked.query}\nactor: {caller.name}\n{asked.document()}"
    path, query = f"/api/v1{asked.path}", asked.query.encode()
    with observed() as seen:
        one = await request(pair.compiled.app, "GET", path, query=query, headers=caller.headers)
        other = await request(pair.reference.app, "GET", path, query=query, headers=caller.headers)
        selected = await graphql(pair.compiled.app, {"query": asked.document()}, caller.headers)
    tally.asked += 1
    tally.compiled += seen[0].path == "compiled"
    tally.answered += one.status == 200
    faults = [*_unlike(_whole(one), _whole(other)), *_differences(asked, one, selected.json())]
    if faults:
        pytest.fail("\n\n".join([told, *faults]), pytrace=False)


def _whole(reply: Reply) -> tuple[int, str, str | None]:
    """A problem names its request; everything else must be the same to the byte."""
    text = reply.content.decode()
    if reply.status >= 400:
        members = {name: each for name, each in json.loads(text).items() if name != "request_id"}
        text = json.dumps(members)
    return reply.status, text, reply.headers.get("link")


def _differences(asked: RestAsked, reply: Reply, body: Any) -> list[str]:
    """Between REST's answer and GraphQL's."""
    if reply.status == 200 and "errors" not in body:
        return _unlike(json.dumps(reply.json()), json.dumps(asked.as_rest(body["data"])))
    codes = {each["extensions"]["code"] for each in body.get("errors", ())}
    # REST looks at the scopes of whatever is asked for, GraphQL at those of what it comes to: not below a refused list,
    # nor below a row that is not there.
    if reply.status == 403 and codes <= {"validation_failed", "not_found"}:
        return []
    # Below a row that is not there GraphQL has nothing to say about arguments.
    below_nothing = asked.route.relation is not None and codes == {"not_found"}
    # What is asked for is weighed before anybody's scopes are.
    alike = below_nothing or "too_complex" in codes or reply.json().get("code") in codes
    return [] if alike and reply.status >= 400 else _unlike(reply.content.decode(), json.dumps(body))


def _unlike(one: object, other: object) -> list[str]:
    return [] if one == other else [f"{one}", f"{other}"]


@pytest.mark.sampled
@pytest.mark.parametrize("part", TAKEN)
def test_rest_answers_alike_on_both_paths_and_like_graphql(pair: Pair, part: int) -> None:
    tally = Tally()
    run(part, size(REQUESTS), questions(pair), lambda each: pair.loop.run_until_complete(check(pair, each, tally)))
    assert tally.asked >= size(REQUESTS)
    assert tally.share >= in_whole(LEAST_COMPILED), tally
    # Some resources are for admins, who rarely ask.
    assert tally.answered >= in_whole(0.3) * tally.asked, tally
