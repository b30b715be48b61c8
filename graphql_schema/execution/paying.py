"""GraphQL at the till: who pays for an operation, how a dry run is answered, and what an answer tells of its price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from graphql import OperationDefinitionNode, value_from_ast_untyped

from graphql_schema.documents.complexity import values_of
from graphql_schema.documents.operation_inputs import input_problem
from graphql_schema.documents.requests import GraphQLRequest, GraphQLResponse, RequestContext
from graphql_schema.schema.context import Context
from graphql_schema.schema.fields import Collector, condition_names
from graphql_schema.schema.naming import operations_by_root_field
from graphql_schema.schema.nodes import located, located_each
from services.catalogue import Actor, Problem
from services.catalogue.resources import Resource
from services.engine.payment import Payment
from services.process.budget.budget import Budget


def payment_of(request_context: RequestContext, asked: GraphQLRequest, actor: Actor) -> Payment | None:
    """Where an operation is paid for, once; None where nobody has a budget, or wants to know the price."""
    if request_context.payment is None:
        budget = request_context.gateway.part(Budget)
        if budget.is_on or asked.dry or asked.wants_cost:
            request_context.payment = Payment(budget, "graphql", actor, request_context.address, dry=asked.dry)
    return request_context.payment


async def check_dry_run(
    context: Context, asked: GraphQLRequest, operation: OperationDefinitionNode, related: Iterable[Resource[Any]]
) -> None:
    """What a dry run is refused for, as what it asks about would be.

    `related` are the rows that are read besides those that are called. Raises as `Gateway.allow`, `located_each` and
    `parse_input`.
    """
    gateway, actor, values = context.gateway, context.actor, values_of(operation, asked.variables)
    conditions = {name: values.get(name) is True for name in condition_names(context.document, operation)}
    collected = Collector(context.document, conditions).below([operation], "Query", "Mutation")
    fields = [nodes[0] for nodes in collected.values()]
    operations = operations_by_root_field(gateway.catalogue)
    for each in fields:
        if each.name.value in operations:
            await gateway.admit(operations[each.name.value], actor, context.client)
    for resource in related:
        gateway.allow(resource, actor)
    for each in fields:
        given = {one.name.value: value_from_ast_untyped(one.value, values) for one in each.arguments or ()}
        if each.name.value == "node":
            located(gateway, actor, str(given["id"]), ("id",))
        elif each.name.value == "nodes":
            ids = given["ids"] if isinstance(given["ids"], list) else [given["ids"]]
            found = located_each(gateway, actor, [str(one) for one in ids])
            problem = next((one for one in found if isinstance(one, Problem)), None)
            if asked.whole and problem is not None:
                raise problem
    problem = input_problem(gateway.catalogue, fields, asked.variables, gateway.limits)
    if problem is not None:
        raise problem


def with_cost(answer: GraphQLResponse, payment: Payment | None) -> GraphQLResponse:
    """The answer, with the price among its extensions."""
    content = answer.content
    if payment is None or not payment.cost or not isinstance(content, Mapping):
        return answer
    extensions = {**content.get("extensions", {}), **payment.told()}
    return replace(answer, content={**content, "extensions": extensions})
