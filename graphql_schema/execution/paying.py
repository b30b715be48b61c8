"""GraphQL at the till: who pays for an operation, how a dry run is answered, and what an answer tells of its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphql_schema.documents.costs import Priced
from graphql_schema.documents.requests import Answer, GraphQLRequest, Origin
from graphql_schema.schema.nodes import located, located_each
from services.catalogue import Actor, Problem
from services.engine.authorization import authorize, authorize_read
from services.engine.gateway import Gateway
from services.engine.payment import Till
from services.process.budget.budget import Budget


def till_of(asking: Origin, asked: GraphQLRequest, actor: Actor) -> Till | None:
    """Where an operation is paid for, once; None where nobody has a budget, or wants to know the price."""
    if asking.till is None:
        budget = asking.gateway.part(Budget)
        if budget.is_on or asked.dry or asked.wants_cost:
            asking.till = Till(budget, "graphql", actor, asking.address, dry=asked.dry)
    return asking.till


def check_allowed(priced: Priced, actor: Actor, gateway: Gateway, *, whole: bool) -> None:
    """What a dry run is refused for, as what it asks about would be. Raises as `authorize` and `located_each`.

    `whole`: what is wrong with one of several identifiers is no error in its place, but the whole answer.
    """
    for operation in priced.called:
        authorize(operation, actor)
    for resource in priced.resources:
        authorize_read(resource, actor)
    for each in priced.sought:
        if isinstance(each, str):
            located(gateway.catalogue, actor, each, ("id",))
            continue
        found = located_each(gateway.catalogue, actor, each, gateway.limits.nodes)
        problem = next((one for one in found if isinstance(one, Problem)), None)
        if whole and problem is not None:
            raise problem


def dry_answer(till: Till, typed: bool) -> Answer:
    """The answer to a dry run. A response without errors must have `data` (specification, 7.1): here it is empty."""
    return Answer({"data": {}, "extensions": till.told()}, typed, 200)


def with_cost(answer: Answer, till: Till | None) -> Answer:
    """The answer, with the price among its extensions."""
    content = answer.content
    if till is None or not till.cost or not isinstance(content, Mapping):
        return answer
    extensions = {**content.get("extensions", {}), **till.told()}
    return replace(answer, content={**content, "extensions": extensions})
