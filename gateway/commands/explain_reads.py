"""Plan reads without a database, for `gateway explain`."""

from __future__ import annotations

from uuid import UUID

from graphql import OperationType

from gateway.errors import SettingsError
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.inputs import NeedsGeneralPathError
from graphql_schema.execution.planner import Planner
from graphql_schema.execution.plans import ReadPlan
from graphql_schema.execution.selections import SchemaNames
from graphql_schema.schema.schema import build_schema
from rest.http.problems import field_path
from rest.reading import Queries
from rest.routes import rest_routes
from services.catalogue import Actor, Catalogue, Operation, Problem
from services.queries.cursors import CursorCodec
from services.queries.selections import Input
from services.reader.plans import Plan, Plans
from services.reader.shapes import BoundInput, bind, bind_input
from services.reader.statement import NotCompiledError

_CURSORS = CursorCodec(b"")


def read_of_operation(
    catalogue: Catalogue, operation: Operation, query_string: str, actor: Actor, key: UUID
) -> tuple[Plan, list[BoundInput]] | None:
    """Return the plan of an operation's result and its bound inputs; None if the result is no row.

    `key` is that of the row, for an operation on one. Raises SettingsError for a wrong query string.
    """
    route = next(route for route in rest_routes(catalogue) if route.operation is operation)
    if route.resource is None:
        return None
    try:
        asked = Queries(route).parse(query_string.encode())
        inputs: tuple[Input, ...] = asked.inputs(None if route.is_list else key)
        if route.is_batch:
            inputs = ([(route.resource, key)], *asked.included)
        slots = bind(asked.query, inputs, _CURSORS)
    except Problem as problem:
        raise _fault(problem) from None
    return Plans(_CURSORS, 1).make(asked.query, slots, actor), slots


def read_of_document(catalogue: Catalogue, text: str, actor: Actor) -> tuple[Plan, list[BoundInput]]:
    """Return the plan of a GraphQL query without variables, and its inputs. Raises SettingsError if it is invalid."""
    schema = build_schema(catalogue)._schema  # noqa: SLF001 - as in the endpoint
    prepared = DocumentCache(schema, suggestions=True).prepare(text)
    for error in (*prepared.structure, *prepared.values):
        raise SettingsError(error.message)
    assert prepared.document is not None
    try:
        operation = prepared.operation(None)
        if operation.operation is not OperationType.QUERY:
            raise SettingsError("Only queries are read by one statement as a whole.")
        plan = Planner(SchemaNames(schema, catalogue), prepared.document, {}).plan(operation)
        assert isinstance(plan, ReadPlan)
        slots = [bind_input(slot.make({}), slot.resource, _CURSORS) for slot in plan.slots]
    except Problem as problem:
        raise _fault(problem) from None
    except (NotCompiledError, NeedsGeneralPathError, KeyError) as error:
        raise SettingsError(f"This goes down the general path, or needs variables: {error}") from None
    return Plans(_CURSORS, 1).make(plan.query, slots, actor), slots


def _fault(problem: Problem) -> SettingsError:
    details = [f"{field_path(error.path)}: {error.message}" for error in problem.errors]
    return SettingsError(" ".join([problem.detail or "", *details]))
