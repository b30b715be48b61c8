"""`gateway explain [OPERATION]`: an operation on both faces, with the SQL of its policy and reads; needs no server."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer
from graphql import OperationType
from rich.console import Console
from sqlalchemy import literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.visitors import replacement_traverse

from gateway.errors import SettingsError
from gateway.settings import load_settings
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.execution.inputs import NeedsGeneralPathError
from graphql_schema.execution.planner import Planner
from graphql_schema.execution.plans import ReadPlan
from graphql_schema.execution.selections import SchemaNames
from graphql_schema.schema.naming import root_field_name
from graphql_schema.schema.schema import build_schema
from rest.http.problems import field_path
from rest.reading import NIL, Queries
from rest.routes import METHODS, rest_routes
from services.catalogue import Actor, Catalogue, Kind, Operation, Problem
from services.catalogue.models import fields_of
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.queries.cursors import CursorCodec
from services.queries.selections import Input
from services.reader.plans import Plan, Plans
from services.reader.shapes import BoundInput, bind, bind_input
from services.reader.statement import NotCompiledError

_CURSORS = CursorCodec(b"")
_ACTOR = Actor()
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def explain(
    operation: Annotated[
        str | None, typer.Argument(help="Its name, such as create_item or items.list; default: all.")
    ] = None,
    query: Annotated[
        str, typer.Option(help="The query string of REST: 'limit=50&include=creator,labels&fields=id,title'.")
    ] = "",
    admin: Annotated[bool, typer.Option("--admin", help="The statement for admins, who pass every policy.")] = False,
    assembly: Annotated[bool, typer.Option("--assembly", help="Print the assembly function, too.")] = False,
    document: Annotated[str | None, typer.Option(help="A GraphQL query, to print its statement.")] = None,
) -> None:
    """Show where operations are served, what they take and need, and with which problems they can fail."""
    settings = load_settings()
    catalogue = Catalogue.load(settings.MODULES)
    actor = Actor(is_admin=admin)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if document is None and operation is None:
        _print_overview(console, catalogue, settings.API_V1_STR)
        return
    if document is not None:
        plan, _ = read_of_document(catalogue, document, actor)
    else:
        named = _operation(catalogue, operation or "")
        for name, value in _details(named, settings.API_V1_STR):
            console.print(f"{name:<9} {value}")
        read = read_of_operation(catalogue, named, query, actor, NIL)
        if read is None:
            return
        plan, _ = read
        console.print()
    console.print(plan.text)
    if assembly:
        console.print(f"\n{plan.source}")


def _operation(catalogue: Catalogue, name: str) -> Operation:
    """Return an operation by its name, or by resource and verb: `items.list`, `item.create`, `create.item`."""
    noun, _, verb = name.partition(".")
    names = [name.replace(".", "_")]
    for resource in catalogue.resources.values():
        if verb and noun in (resource.name, resource.plural):
            names = [f"{verb}_{resource.name}", f"{verb}_{resource.plural}"]
    for known in names:
        if known in catalogue.operations:
            return catalogue.operations[known]
    raise SettingsError(f'There is no operation "{name}". `gateway explain` lists them.')


def _print_overview(console: Console, catalogue: Catalogue, prefix: str) -> None:
    ordered = sorted(catalogue.operations.values(), key=lambda operation: operation.address)
    rows = [("operation", "REST", "GraphQL", "scope")]
    rows += [(operation.name, _route(operation, prefix), _field(operation), _scope(operation)) for operation in ordered]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        console.print("  ".join(map(str.ljust, row, widths)).rstrip())
    for route in rest_routes(catalogue):
        if route.relation is not None and not route.is_search:
            console.print(f"relation: {route.method} {prefix}{route.path}")
    weights = [f"{name} {operation.cost}" for name, operation in catalogue.operations.items() if operation.cost != 1]
    console.print(f"cost: 1 point each, but {', '.join(weights)}; and what is asked for (docs/budget.md)")
    for seam in catalogue.seams:
        console.print(f"{seam.face}: {seam.address} is written by hand: {seam.reason}")


def _details(operation: Operation, prefix: str) -> list[tuple[str, str]]:
    maximum = f"at most {operation.statements} statements" if operation.statements > 1 else "1 statement"
    lists = []
    if operation.kind is Kind.LIST and operation.resource is not None:
        lists = [
            ("filters", ", ".join(operation.resource.filters)),
            ("sorts", ", ".join(operation.resource.sorts)),
            ("search", ", ".join(operation.resource.search) or "none"),
        ]
    return [
        ("operation", operation.name),
        ("what", operation.description),
        ("where", str(operation.location)),
        ("REST", _route(operation, prefix)),
        ("GraphQL", _field(operation)),
        ("scope", _scope(operation)),
        ("input", _members(fields_of(operation.input)) if operation.input else "none"),
        *lists,
        ("result", _result(operation)),
        ("policy", _policy(operation)),
        ("problems", ", ".join(f"{problem.code} ({problem.status})" for problem in operation.problems) or "none"),
        ("events", ", ".join(operation.emits) or "none"),
        ("cost", _cost(operation)),
        ("SQL", f"{maximum} an entry" if operation.entries else maximum),
    ]


def _cost(operation: Operation) -> str:
    points = f"{operation.cost} point{'s' if operation.cost != 1 else ''}"
    if not isinstance(operation.result, Resource) or operation.scope is None:
        return points
    return f"{points}, and what is asked for {'in the list' if operation.kind is Kind.LIST else 'below the row'}"


def _route(operation: Operation, prefix: str) -> str:
    return f"{METHODS[operation.kind]} {prefix}/{operation.address}"


def _field(operation: Operation) -> str:
    return f"{'query' if operation.is_read else 'mutation'} {root_field_name(operation)}"


def _scope(operation: Operation) -> str:
    return "open to everybody" if operation.scope is None else operation.scope or "any signed-in actor"


def _members(fields: Any) -> str:
    return ", ".join(f"{name}: {_kind(kind)}" for name, kind in fields.items())


def _kind(kind: FieldType) -> str:
    name = kind.identifier.form if kind.identifier else kind.python.__name__
    name = f"[{name}]" if kind.many else name
    return f"{name} or null" if kind.nullable else name


def _result(operation: Operation) -> str:
    result = operation.result
    if operation.entries and operation.resource is not None:
        return f"for each entry its status, {operation.resource.name} or problem"
    if result is None:
        return "nothing"
    if not isinstance(result, Resource):
        return f"{result.__name__}: {_members(fields_of(result))}"
    relations = ", ".join(result.relations)
    return f"{result.name}: {_members(result.fields)}" + (f"; relations {relations}" if relations else "")


def _policy(operation: Operation) -> str:
    """Return the predicates over the row, for a user who is not an admin."""
    resource = operation.resource
    if resource is None:
        return "none: it is not about a row"
    if operation.entries:
        return f"those of {', '.join(entry.name for entry in operation.entries.values())}"
    if operation.kind is Kind.LIST:
        actions = list(resource.policy.listing)
    elif operation.kind is Kind.CREATE or operation.action == "read":
        actions = [operation.action]
    else:
        actions = ["read", operation.action]
    predicates = {action: resource.policy.predicate(action, resource.model, _ACTOR) for action in actions}
    if operation.where is not None:
        predicates["where"] = operation.where(resource.model)
    if operation.is_read:
        predicates |= {f"mask of {name}": rule(resource.model) for name, rule in resource.policy.masks.items()}
    return "; ".join(f"{action}: {_sql(predicate)}" for action, predicate in predicates.items())


def _sql(expression: Any) -> str:
    """Return a predicate as SQL of PostgreSQL, with the actor's values as named parameters."""
    parameters: dict[str | None, Any] = {name: literal_column(f":{name}") for name in _ACTOR.parameters()}
    traverse: Any = replacement_traverse
    named = traverse(expression, {}, lambda element, **_: parameters.get(getattr(element, "key", None)))
    return " ".join(str(named.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})).split())


def read_of_operation(
    catalogue: Catalogue, operation: Operation, query_string: str, actor: Actor, key: UUID
) -> tuple[Plan, list[BoundInput]] | None:
    """Return the plan and bound inputs of a result, or None if it is no row. Raises SettingsError for a bad query."""
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
