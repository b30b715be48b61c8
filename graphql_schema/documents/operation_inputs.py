"""The inputs of operations that GraphQL refuses, judged by the operations' input models.

GraphQL refuses a value of the wrong type before the services see it. If the value belongs to an operation's input, the
input model validates it all the same, so that both faces report the same errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from graphql import FieldNode, OperationDefinitionNode, SelectionNode, value_from_ast_untyped
from pydantic import BaseModel

from graphql_schema.schema.naming import operations_by_root_field, root_field_name
from services.catalogue import Catalogue, Operation, Problem
from services.catalogue.batches import MAX_ENTRIES
from services.catalogue.models import NoInput, fields_of, parse_input
from services.catalogue.naming import camel
from services.catalogue.scalars import FieldType
from services.queries.batches import parse_batch
from services.queries.limits import Limits

_NO_MEMBER: Mapping[str, Any] = {}
"""Replaces a name that is not in an enum: no enum accepts an object."""


def called_operations(catalogue: Catalogue, operation: OperationDefinitionNode) -> list[Operation]:
    """Return the catalogue's operations that a GraphQL operation calls by its own root fields, in order."""
    by_field = operations_by_root_field(catalogue)
    names = [node.name.value for node in operation.selection_set.selections if isinstance(node, FieldNode)]
    return [by_field[name] for name in names if name in by_field]


def is_open_to_all(called: Sequence[Operation], operation: OperationDefinitionNode) -> bool:
    """Whether a GraphQL operation calls nothing but public operations, so that credentials are not even looked at."""
    return len(called) == len(operation.selection_set.selections) and all(each.scope is None for each in called)


def input_problem(
    catalogue: Catalogue, fields: Iterable[SelectionNode], variables: Mapping[str, Any], limits: Limits
) -> Problem | None:
    """Return the first Problem that the input models of a mutation's root fields raise, if any."""
    operations = catalogue.operations.values()
    mutations = {root_field_name(operation): operation for operation in operations if not operation.is_read}
    for node in fields:
        if not isinstance(node, FieldNode) or node.name.value not in mutations:
            continue
        arguments = {argument.name.value: argument.value for argument in node.arguments or ()}
        value = value_from_ast_untyped(arguments["input"], dict(variables)) if "input" in arguments else None
        if isinstance(value, Mapping):
            try:
                _validate_input(mutations[node.name.value], value, limits)
            except Problem as problem:
                return problem
    return None


def _validate_input(operation: Operation, value: Mapping[str, Any], limits: Limits) -> None:
    model = operation.input or NoInput
    # The row's `id` is an argument of the operation, not a field of its input.
    data = _service_object(model, {key: value[key] for key in value if key != "id" or not operation.on_a_row})
    if not operation.entries:
        parse_input(model, data)
        return
    # GraphQL runs no entry of a batch that has a value of the wrong type, so the batch is validated as atomic.
    if isinstance(data.get("atomic"), bool):
        data["atomic"] = True
    parse_batch(operation, data, limits.MAX_BATCH_ENTRIES)


@cache
def _fields_by_graphql_name(model: type[BaseModel]) -> Mapping[str, tuple[str, FieldType]]:
    return {camel(name): (name, field_type) for name, field_type in fields_of(model).items()}


def _service_object(model: type[BaseModel], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input object with the names and values of the services; unknown members are left as they are."""
    fields = _fields_by_graphql_name(model)
    known = {key: fields[key] for key in value if key in fields}
    members = {name: _service_value(field_type, value[key]) for key, (name, field_type) in known.items()}
    return members | {key: value[key] for key in value if key not in fields}


def _service_value(field_type: FieldType, value: Any) -> Any:
    """Return a GraphQL value of a field as the services represent it; one of the wrong type is left as it is."""
    is_object = issubclass(field_type.python, BaseModel)
    if field_type.many and isinstance(value, list):
        element_type = replace(field_type, many=False)
        # One object more than allowed is enough for the model to refuse the list.
        elements = value[: MAX_ENTRIES + 1] if is_object else value
        return [_service_value(element_type, element) for element in elements]
    if is_object and isinstance(value, Mapping):
        return _service_object(field_type.python, value)
    if field_type.enum is None or value is None:
        return value
    member = field_type.enum.__members__.get(value) if isinstance(value, str) else None
    return member.value if member is not None else _NO_MEMBER
