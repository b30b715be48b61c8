"""Translate calls to GraphQL documents with variables, and GraphQL responses to answers in REST's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel

from gateway.parity.calls.answers import CallResult, snake_path
from gateway.parity.world.world import resource_of
from graphql_schema.schema.naming import root_field_name
from services.catalogue import Kind, Operation, Relation
from services.catalogue.models import fields_of
from services.catalogue.naming import EXPECTED, camel, pascal, snake
from services.catalogue.resources import Resource
from services.catalogue.scalars import FieldType

ARGUMENTS: Final = {"first": "limit", "last": "limit", "order_by": "sort", "search": "q"}
"""REST's names of the list arguments that GraphQL names differently."""
_PROBLEM: Final = "type title status code detail errors { field code message }"
_PAGE: Final = "pageInfo { hasNextPage endCursor }"


def graphql_request(
    operation: Operation, id: str | None, data: Mapping[str, Any] | None, arguments: Mapping[str, Any],
    expected: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return a request's body. `arguments` have REST's names; `expected` is the row's version, or `*`."""
    if operation.kind is Kind.LIST:
        return _list_request(operation, arguments)
    if operation.kind is Kind.GET:
        variables = {"id": ("ID!", id)} if operation.on_a_row else {}
        return _request("query", operation, variables, _selection(operation, arguments))
    value: dict[str, Any] = {"id": id} if operation.on_a_row else {}
    if expected is not None:
        value[camel(EXPECTED)] = expected
    value |= _input(operation.input, data or {})
    takes_input = operation.input is not None or operation.on_a_row
    mutation = {"input": (f"{pascal(operation.name)}Input!", value)} if takes_input else {}
    return _request("mutation", operation, mutation, _payload(operation))


def graphql_answer(
    operation: Operation, body: Mapping[str, Any], size: int = 0, include: Relation | None = None
) -> CallResult:
    """Return the answer in a response's body: its first Problem, or else its data."""
    errors = body.get("errors")
    if errors:
        return CallResult.of_problem(errors[0]["extensions"], size)
    return CallResult(_data(operation, body["data"][root_field_name(operation)], include), size=size)


def list_argument(path: str) -> str:
    """Return a field path below a list's arguments under REST's names: `order_by[0].field` as `sort[0]`."""
    name = re.match(r"\w*", path)
    renamed = ARGUMENTS.get(name[0], name[0]) + path[name.end() :] if name else path
    return renamed.removesuffix(".field") if renamed.startswith("sort[") else renamed


def graphql_filter(resource: Resource[Any], plain: Any) -> Any:
    if not isinstance(plain, Mapping):
        return plain
    converted: dict[str, Any] = {}
    for key, value in plain.items():
        if key in ("and", "or"):
            converted[key] = [graphql_filter(resource, part) for part in value] if isinstance(value, list) else value
        elif key == "not":
            converted[key] = graphql_filter(resource, value)
        else:
            kind = resource.fields.get(key)
            is_enum = kind is not None and kind.enum is not None
            conditions = value if isinstance(value, Mapping) else {"eq": value}
            converted[camel(key)] = {
                camel(operator): _upper(operand) if is_enum else operand for operator, operand in conditions.items()
            }
    return converted


def _request(
    kind: str, operation: Operation, variables: Mapping[str, tuple[str, Any]], selection: str
) -> dict[str, Any]:
    """Return the body for an operation whose arguments are variables: type and value by name."""
    declared = f"({', '.join(f'${name}: {graphql_type}' for name, (graphql_type, _) in variables.items())})"
    passed = f"({', '.join(f'{name}: ${name}' for name in variables)})"
    field = f"{root_field_name(operation)}{passed if variables else ''} {{ {selection} }}"
    values = {name: value for name, (_, value) in variables.items()}
    return {"query": f"{kind}{declared if variables else ''} {{ {field} }}", "variables": values}


def _list_request(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    resource = resource_of(operation)
    name = pascal(resource.name)
    after, before, sort = arguments.get("after"), arguments.get("before"), arguments.get("sort")
    variables = {
        "last" if before is not None and after is None else "first": ("Int", arguments.get("limit")),
        "after": ("String", after),
        "before": ("String", before),
        "filter": (f"{name}Filter", graphql_filter(resource, arguments.get("filter"))),
        "orderBy": (f"[{name}Order!]", [_order(field) for field in sort] if sort is not None else None),
        "search": ("String", arguments.get("q")),
    }
    given = {name: (graphql_type, value) for name, (graphql_type, value) in variables.items() if value is not None}
    count = "totalCount" if arguments.get("count") else ""
    selection = f"edges {{ cursor node {{ {_selection(operation, arguments)} }} }} {_PAGE} {count}"
    return _request("query", operation, given, selection)


def _order(field: str) -> dict[str, str]:
    return {"field": field.removeprefix("-").upper(), "direction": "DESC" if field.startswith("-") else "ASC"}


def _selection(operation: Operation, arguments: Mapping[str, Any]) -> str:
    resource = resource_of(operation)
    selected = _fields(resource.fields)
    if not arguments.get("include"):
        return selected
    relation = resource.relations[arguments["include"]]
    related = _fields(relation.target.fields)
    return f"{selected} {camel(relation.name)} {{ {f'nodes {{ {related} }} {_PAGE}' if relation.many else related} }}"


def _fields(names: Mapping[str, Any]) -> str:
    return " ".join(map(camel, names))


def _payload(operation: Operation) -> str:
    result = operation.result
    if isinstance(result, Resource):
        return f"{camel(result.name)} {{ {_fields(result.fields)} }}"
    if operation.kind is Kind.BATCH and operation.resource is not None:
        row = f"{camel(operation.resource.name)} {{ {_fields(operation.resource.fields)} etag }}"
        return f"results {{ status id {row} problem {{ {_PROBLEM} }} }}"
    if result is not None:
        return f"{camel(snake(result.__name__))} {{ {_fields(fields_of(result))} }}"
    return "id" if operation.kind is Kind.DELETE else "ok"


def _input(model: type[BaseModel] | None, data: Mapping[str, Any]) -> dict[str, Any]:
    types = fields_of(model) if model is not None else {}
    return {camel(name): _input_value(types.get(name), value) for name, value in data.items()}


def _input_value(kind: FieldType | None, value: Any) -> Any:
    if kind is None:
        return value
    if not issubclass(kind.python, BaseModel):
        return _upper(value) if kind.enum is not None else value
    if isinstance(value, list):
        return [_input_value(kind, entry) for entry in value]
    return _input(kind.python, value) if isinstance(value, Mapping) else value


def _upper(value: Any) -> Any:
    if isinstance(value, list):
        return [_upper(entry) for entry in value]
    if isinstance(value, orjson.Fragment):
        return _upper(orjson.loads(orjson.dumps(value)))
    return value.upper() if isinstance(value, str) else value


def _data(operation: Operation, value: Any, include: Relation | None) -> Any:
    result = operation.result
    if operation.kind is Kind.LIST and isinstance(result, Resource):
        total = {"total": value["totalCount"]} if "totalCount" in value else {}
        rows = [_row(result, edge["node"], include) for edge in value["edges"]]
        return {"data": rows, "page": _page(value["pageInfo"]) | total}
    if isinstance(result, Resource):
        return _row(result, value if operation.is_read else value[camel(result.name)], include)
    if operation.kind is Kind.BATCH:
        return {"results": [_outcome(resource_of(operation), outcome) for outcome in value["results"]]}
    if result is not None:
        members = value[camel(snake(result.__name__))]
        return {snake(name): member for name, member in members.items() if member is not None}
    return None


def _outcome(resource: Resource[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    row, problem = value[camel(resource.name)], value["problem"]
    outcome = {"status": value["status"], "id": value["id"]}
    if row:
        outcome |= {"etag": row["etag"], "data": _row(resource, row)}
    if problem is not None:
        errors = [{**error, "field": snake_path(error["field"])} for error in problem["errors"]]
        outcome["problem"] = {**problem, "errors": errors}
        if not errors:
            del outcome["problem"]["errors"]
    return {name: member for name, member in outcome.items() if member is not None}


def _row(resource: Resource[Any], value: Mapping[str, Any], include: Relation | None = None) -> dict[str, Any]:
    row = {}
    for name, kind in resource.fields.items():
        member = value[camel(name)]
        row[name] = member.lower() if kind.enum is not None and isinstance(member, str) else member
    if include is not None:
        related, target = value[camel(include.name)], include.target
        if include.many:
            nodes = [_row(target, node) for node in related["nodes"]]
            row[include.name] = {"data": nodes, "page": _page(related["pageInfo"])}
        else:
            row[include.name] = None if related is None else _row(target, related)
    return row


def _page(info: Mapping[str, Any]) -> dict[str, Any]:
    return {"has_next": info["hasNextPage"], "next": info["endCursor"] if info["hasNextPage"] else None}
