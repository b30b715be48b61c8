"""`gateway explain [OPERATION]`: what an operation is on both faces, the SQL of its policy, and of what it reads."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.visitors import replacement_traverse

from gateway.commands.explain_reads import plan_of_document, plan_of_operation
from gateway.errors import SettingsError
from gateway.settings import load_settings
from graphql_schema.schema.naming import field_name
from rest.routes import METHODS, rest_routes
from services.catalogue import Actor, Catalogue, Kind, Operation
from services.catalogue.models import fields_of
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType
from services.reader.plans import Plan

_ANYBODY = Actor()
# SQLAlchemy leaves this one untyped.
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def explain(
    operation: Annotated[
        str | None, typer.Argument(help="Its name, such as create_item or items.list; all of them if left out.")
    ] = None,
    query: Annotated[
        str, typer.Option(help="What is read, as on REST: 'limit=50&include=creator,labels&fields=id,title'.")
    ] = "",
    admin: Annotated[bool, typer.Option("--admin", help="The statement for admins, who pass every policy.")] = False,
    assembly: Annotated[bool, typer.Option("--assembly", help="Also the function that makes the answer.")] = False,
    document: Annotated[str | None, typer.Option(help="A GraphQL query, to see how that is read.")] = None,
) -> None:
    """Tell where operations are served, what they take, need and can fail with."""
    settings = load_settings()
    catalogue = Catalogue.load(settings.MODULES)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    if document is not None:
        _print_plan(console, plan_of_document(catalogue, document, Actor(is_admin=admin)), assembly=assembly)
        return
    if operation is None:
        console.print(_overview(catalogue, settings.API_V1_STR))
        for route in rest_routes(catalogue):
            if route.relation is not None and not route.is_search:
                console.print(f"relation: {route.method} {settings.API_V1_STR}{route.path}")
        weights = [f"{each.name} {each.cost}" for each in catalogue.operations.values() if each.cost != 1]
        console.print(f"cost: 1 point each, but {', '.join(weights)}; and what is asked for (docs/budget.md)")
        for seam in catalogue.seams:
            console.print(f"{seam.face}: {seam.address} is written by hand: {seam.reason}")
        return
    found = _operation(catalogue, operation)
    if found is None:
        raise SettingsError(f'There is no operation "{operation}". `gateway explain` lists them.')
    for name, value in _details(found, settings.API_V1_STR):
        console.print(f"{name:<9} {value}")
    plan = plan_of_operation(catalogue, found, query, Actor(is_admin=admin))
    if plan is not None:
        console.print()
        _print_plan(console, plan, assembly=assembly)


def _print_plan(console: Console, plan: Plan, *, assembly: bool) -> None:
    console.print(plan.text)
    if assembly:
        console.print(f"\n{plan.source}")


def _operation(catalogue: Catalogue, name: str) -> Operation | None:
    """An operation by its name, or by resource and verb: `items.list`, `item.create`, `create.item`."""
    noun, _, verb = name.partition(".")
    for resource in catalogue.resources.values():
        if verb and noun in (resource.name, resource.plural):
            names = (f"{verb}_{resource.name}", f"{verb}_{resource.plural}")
            return next((catalogue.operations[each] for each in names if each in catalogue.operations), None)
    return catalogue.operations.get(name.replace(".", "_"))


def _overview(catalogue: Catalogue, prefix: str) -> str:
    ordered = sorted(catalogue.operations.values(), key=lambda each: each.address)
    rows = [("operation", "REST", "GraphQL", "scope")]
    rows += [(each.name, _route(each, prefix), _field(each), _scope(each)) for each in ordered]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _details(operation: Operation, prefix: str) -> list[tuple[str, str]]:
    found = [
        ("operation", operation.name),
        ("what", operation.description),
        ("where", str(operation.location)),
        ("REST", _route(operation, prefix)),
        ("GraphQL", _field(operation)),
        ("scope", _scope(operation)),
        ("input", _members(fields_of(operation.input)) if operation.input else "none"),
        ("result", _result(operation)),
        ("policy", _policy(operation)),
        ("problems", ", ".join(f"{each.code} ({each.status})" for each in operation.problems) or "none"),
        ("events", ", ".join(operation.emits) or "none"),
        ("cost", _cost(operation)),
        ("SQL", _statements(operation)),
    ]
    resource = operation.resource
    if operation.kind is Kind.LIST and resource is not None:
        found.insert(7, ("filters", ", ".join(resource.filters)))
        found.insert(8, ("sorts", ", ".join(resource.sorts)))
        found.insert(9, ("search", ", ".join(resource.search) or "none"))
    return found


def _cost(operation: Operation) -> str:
    points = f"{operation.cost} point{'s' if operation.cost != 1 else ''}"
    if not isinstance(operation.result, Resource) or operation.scope is None:
        return points
    return f"{points}, and what is asked for {'in the list' if operation.kind is Kind.LIST else 'below the row'}"


def _statements(operation: Operation) -> str:
    most = f"at most {operation.statements} statements" if operation.statements > 1 else "1 statement"
    return f"{most} an entry" if operation.entries else most


def _route(operation: Operation, prefix: str) -> str:
    return f"{METHODS[operation.kind]} {prefix}/{operation.address}"


def _field(operation: Operation) -> str:
    return f"{'query' if operation.is_read else 'mutation'} {field_name(operation)}"


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
    """The predicates over the row, for a user who is not an admin."""
    resource = operation.resource
    if resource is None:
        return "none: it is not about a row"
    if operation.entries:
        return f"those of {', '.join(each.name for each in operation.entries.values())}"
    actions = ["read"] if operation.action == "read" else ["read", operation.action]
    if operation.kind is Kind.LIST:
        actions = list(resource.policy.listing)
    if operation.kind is Kind.CREATE:
        actions = [operation.action]
    predicates = {action: resource.policy.predicate(action, resource.model, _ANYBODY) for action in actions}
    if operation.where is not None:
        predicates["where"] = operation.where(resource.model)
    if operation.is_read:
        predicates |= {f"mask of {name}": rule(resource.model) for name, rule in resource.policy.masks.items()}
    return "; ".join(f"{action}: {_sql(each)}" for action, each in predicates.items())


def _sql(expression: Any) -> str:
    """A predicate as PostgreSQL would read it, the actor's values by their names."""
    named: dict[str | None, Any] = {name: literal_column(f":{name}") for name in _ANYBODY.parameters()}

    def by_name(part: Any, **_: Any) -> Any:
        return named.get(getattr(part, "key", None))

    traverse: Any = replacement_traverse
    shown = traverse(expression, {}, by_name)
    return " ".join(str(shown.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})).split())
