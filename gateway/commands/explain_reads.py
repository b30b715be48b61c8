"""How the Reader would read something: for `gateway explain`, without a database."""

from __future__ import annotations

from uuid import UUID

from graphql import OperationType

from gateway.errors import SettingsError
from graphql_schema.documents.parsing import Documents
from graphql_schema.execution.inputs import UnfitError
from graphql_schema.execution.planner import Planner
from graphql_schema.execution.plans import ReadPlan
from graphql_schema.schema.schema import build_schema
from rest.http.problems import field_path
from rest.reading import Queries
from rest.routes import rest_routes
from services.catalogue import Actor, Catalogue, Operation, Problem
from services.engine.gateway import NIL
from services.queries.cursors import CursorCodec
from services.queries.selections import Input
from services.reader.plans import Plan, Plans
from services.reader.shapes import Bound, bind, bind_input
from services.reader.statement import NotCompiledError

_CURSORS = CursorCodec(b"")


def plan_of_operation(catalogue: Catalogue, operation: Operation, query_string: str, actor: Actor) -> Plan | None:
    """How an operation's result is read; None where that is no row. Raises SettingsError for a wrong query string."""
    found = read_of_operation(catalogue, operation, query_string, actor, NIL)
    return None if found is None else found[0]


def read_of_operation(
    catalogue: Catalogue, operation: Operation, query_string: str, actor: Actor, key: UUID
) -> tuple[Plan, list[Bound]] | None:
    """The same, with the inputs to read it with; `key` is that of the row, where it is about one."""
    route = next(each for each in rest_routes(catalogue) if each.operation is operation)
    if route.resource is None:
        return None
    try:
        query, inputs = Queries(route).parse(query_string.encode())
        first: tuple[Input, ...] = ([(route.resource, key)],) if route.is_batch else () if route.is_list else (key,)
        slots = bind(query, (*first, *inputs), _CURSORS)
    except Problem as problem:
        raise _fault(problem) from None
    return Plans(_CURSORS, 1).make(query, slots, actor), slots


def plan_of_document(catalogue: Catalogue, text: str, actor: Actor) -> Plan:
    """How a GraphQL query without variables is read. Raises SettingsError for a document that is wrong."""
    return read_of_document(catalogue, text, actor)[0]


def read_of_document(catalogue: Catalogue, text: str, actor: Actor) -> tuple[Plan, list[Bound]]:
    """The same, with the inputs to read it with."""
    schema = build_schema(catalogue)._schema  # noqa: SLF001 - as in the endpoint
    prepared = Documents(schema, suggestions=True).prepare(text)
    for error in (*prepared.structure, *prepared.values):
        raise SettingsError(error.message)
    assert prepared.document is not None
    try:
        operation = prepared.operation(None)
        if operation.operation is not OperationType.QUERY:
            raise SettingsError("Only queries are read by one statement as a whole.")
        plan, _ = Planner(schema, catalogue).plan(prepared.document, operation, {})
        assert isinstance(plan, ReadPlan)
        slots = [bind_input(each.make({}), each.resource, _CURSORS) for each in plan.slots]
    except Problem as problem:
        raise _fault(problem) from None
    except (NotCompiledError, UnfitError, KeyError) as error:
        raise SettingsError(f"This goes down the general path, or needs variables: {error}") from None
    return Plans(_CURSORS, 1).make(plan.query, slots, actor), slots


def _fault(problem: Problem) -> SettingsError:
    details = [f"{field_path(each.path)}: {each.message}" for each in problem.errors]
    return SettingsError(" ".join([problem.detail or "", *details]))
