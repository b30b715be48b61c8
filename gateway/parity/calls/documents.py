"""An operation's call as a GraphQL document with variables, and its data in REST's habit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel

from gateway.parity.calls.answers import Answer, snake_path
from graphql_schema.schema.naming import field_name
from services.catalogue import Kind, Operation, Relation
from services.catalogue.models import fields_of
from services.catalogue.naming import EXPECTED, camel, pascal, snake
from services.catalogue.resources import Resource

ARGUMENTS: Final = {"first": "limit", "last": "limit", "order_by": "sort", "search": "q"}
"""What lists call their arguments here, and on REST."""
_PROBLEM: Final = "type title status code detail errors { field code message }"
_PAGE: Final = "pageInfo { hasNextPage endCursor }"


def graphql_request(
    operation: Operation, id: str | None, data: Mapping[str, Any] | None, arguments: Mapping[str, Any],
    expected: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The body of a request that calls an operation; arguments as of REST, `include` names one relation at most.

    `expected` is the version that the row must have, or `*`.
    """
    if operation.kind is Kind.LIST:
        return _list(operation, arguments)
    if operation.kind is Kind.GET:
        head, given = ("query($id: ID!)", "(id: $id)") if operation.on_a_row else ("query", "")
        shown = _selected(operation, arguments)
        return {"query": f"{head} {{ {field_name(operation)}{given} {{ {shown} }} }}", "variables": {"id": id}}
    return _mutation(operation, id, data or {}, expected)


def graphql_answer(
    operation: Operation, body: Mapping[str, Any], size: int = 0, include: Relation | None = None
) -> Answer:
    """What a response says: its first problem, if it has one."""
    errors = body.get("errors")
    if errors:
        return Answer.of_problem(errors[0]["extensions"], size)
    return Answer(_read(operation, body["data"][field_name(operation)], include), size=size)


def list_argument(path: str) -> str:
    """A field path below a list's arguments, in REST's words: `order_by[0].field` as `sort[0]`."""
    name = re.match(r"\w*", path)
    shown = ARGUMENTS.get(name[0], name[0]) + path[name.end() :] if name else path
    return shown.removesuffix(".field") if shown.startswith("sort[") else shown


def _list(operation: Operation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    resource = operation.resource
    assert resource is not None
    name = pascal(resource.name)
    types = {
        "first": "Int", "after": "String", "last": "Int", "before": "String", "filter": f"{name}Filter",
        "orderBy": f"[{name}Order!]", "search": "String",
    }  # fmt: skip
    after, before = arguments.get("after"), arguments.get("before")
    values = {
        "last" if before is not None and after is None else "first": arguments.get("limit"),
        "after": after,
        "before": before,
        "filter": graphql_filter(resource, arguments["filter"]) if arguments.get("filter") is not None else None,
        "orderBy": [_order(each) for each in arguments["sort"]] if arguments.get("sort") is not None else None,
        "search": arguments.get("q"),
    }
    values = {key: value for key, value in values.items() if value is not None}
    head = f"({', '.join(f'${key}: {types[key]}' for key in values)})" if values else ""
    given = f"({', '.join(f'{key}: ${key}' for key in values)})" if values else ""
    count = "totalCount" if arguments.get("count") else ""
    page = f"edges {{ cursor node {{ {_selected(operation, arguments)} }} }} {_PAGE} {count}"
    return {"query": f"query{head} {{ {field_name(operation)}{given} {{ {page} }} }}", "variables": values}


def _selected(operation: Operation, arguments: Mapping[str, Any]) -> str:
    resource = operation.resource
    assert resource is not None
    shown = _fields(resource)
    if not arguments.get("include"):
        return shown
    relation = resource.relations[arguments["include"]]
    below = _fields(relation.target)
    return f"{shown} {camel(relation.name)} {{ {f'nodes {{ {below} }} {_PAGE}' if relation.many else below} }}"


def _fields(resource: Resource[Any]) -> str:
    return " ".join(camel(name) for name in resource.fields)


def _mutation(operation: Operation, id: str | None, data: Mapping[str, Any], expected: str | None) -> dict[str, Any]:
    value: dict[str, Any] = {"id": id} if operation.on_a_row else {}
    if expected is not None:
        value[camel(EXPECTED)] = expected
    value |= _input(operation.input, data) if operation.input else {camel(key): each for key, each in data.items()}
    taken = operation.input is not None or operation.on_a_row
    head, given = (f"($input: {pascal(operation.name)}Input!)", "(input: $input)") if taken else ("", "")
    text = f"mutation{head} {{ {field_name(operation)}{given} {{ {_payload(operation)} }} }}"
    return {"query": text, "variables": {"input": value}}


def _input(model: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """An input in GraphQL's habit."""
    kinds, found = fields_of(model), {}
    for key, value in data.items():
        kind = kinds.get(key)
        if kind is not None and issubclass(kind.python, BaseModel):
            found[camel(key)] = _nested(kind.python, value)
        else:
            found[camel(key)] = _upper(value) if kind is not None and kind.enum is not None else value
    return found


def _nested(model: type[BaseModel], value: Any) -> Any:
    if isinstance(value, list):
        return [_nested(model, each) for each in value]
    return _input(model, value) if isinstance(value, Mapping) else value


def _read(operation: Operation, value: Any, include: Relation | None) -> Any:
    result = operation.result
    if operation.kind is Kind.LIST and isinstance(result, Resource):
        rows = [_row(result, edge["node"], include) for edge in value["edges"]]
        page = _page(value["pageInfo"])
        return {"data": rows, "page": {**page, **({"total": value["totalCount"]} if "totalCount" in value else {})}}
    if isinstance(result, Resource):
        return _row(result, value if operation.is_read else value[camel(result.name)], include)
    if operation.kind is Kind.BATCH:
        return {"results": [_outcome(operation, each) for each in value["results"]]}
    if result is not None:
        return {snake(key): each for key, each in value[camel(snake(result.__name__))].items() if each is not None}
    return None


def _outcome(operation: Operation, value: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome of a batch as REST shows it."""
    resource = operation.resource
    assert resource is not None
    problem, row = value["problem"], value[camel(resource.name)]
    found = {"status": value["status"], "id": value["id"]}
    if row:
        found |= {"etag": row["etag"], "data": _row(resource, row)}
    if problem is not None:
        errors = [{**each, "field": snake_path(each["field"])} for each in problem["errors"]]
        found["problem"] = {**problem, **({"errors": errors} if errors else {})}
        if not errors:
            del found["problem"]["errors"]
    return {name: each for name, each in found.items() if each is not None}


def _page(about: Mapping[str, Any]) -> dict[str, Any]:
    return {"has_next": about["hasNextPage"], "next": about["endCursor"] if about["hasNextPage"] else None}


def graphql_filter(resource: Resource[Any], plain: Any) -> Any:
    """A filter in the services' habit, as GraphQL's input."""
    if not isinstance(plain, Mapping):
        return plain
    found: dict[str, Any] = {}
    for key, value in plain.items():
        if key in ("and", "or"):
            found[key] = [graphql_filter(resource, each) for each in value] if isinstance(value, list) else value
        elif key == "not":
            found[key] = graphql_filter(resource, value)
        else:
            kind = resource.fields.get(key)
            upper = kind is not None and kind.enum is not None
            conditions = value if isinstance(value, Mapping) else {"eq": value}
            found[camel(key)] = {camel(o): _upper(v) if upper else v for o, v in conditions.items()}
    return found


def _upper(value: Any) -> Any:
    if isinstance(value, list):
        return [_upper(each) for each in value]
    if isinstance(value, orjson.Fragment):
        return _upper_fragment(orjson.dumps(value))
    return value.upper() if isinstance(value, str) else value


def _upper_fragment(text: bytes) -> orjson.Fragment:
    """JSON that is written in some way; what is escaped in it stays so."""
    value = orjson.loads(text)
    if not isinstance(value, str) or b"\\" not in text:
        return orjson.Fragment(orjson.dumps(_upper(value)))
    escaped = "".join(f"\\u{ord(each):04x}" for each in value.upper())
    return orjson.Fragment(f'"{escaped}"')


def _order(text: str) -> dict[str, str]:
    return {"field": text.removeprefix("-").upper(), "direction": "DESC" if text.startswith("-") else "ASC"}


def _payload(operation: Operation) -> str:
    result = operation.result
    if isinstance(result, Resource):
        return f"{camel(result.name)} {{ {' '.join(camel(name) for name in result.fields)} }}"
    if operation.kind is Kind.BATCH and operation.resource is not None:
        row = f"{camel(operation.resource.name)} {{ {_fields(operation.resource)} etag }}"
        return f"results {{ status id {row} problem {{ {_PROBLEM} }} }}"
    if result is not None:
        return f"{camel(snake(result.__name__))} {{ {' '.join(camel(name) for name in fields_of(result))} }}"
    return "id" if operation.kind is Kind.DELETE else "ok"


def _row(resource: Resource[Any], value: Mapping[str, Any], include: Relation | None = None) -> dict[str, Any]:
    found = {}
    for name, kind in resource.fields.items():
        each = value[camel(name)]
        found[name] = each.lower() if kind.enum is not None and isinstance(each, str) else each
    if include is not None:
        found[include.name] = _related(include, value[camel(include.name)])
    return found


def _related(relation: Relation, value: Any) -> Any:
    if not relation.many:
        return None if value is None else _row(relation.target, value)
    return {"data": [_row(relation.target, each) for each in value["nodes"]], "page": _page(value["pageInfo"])}
