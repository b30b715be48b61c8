"""Values of the wrong type, in documents and variables, as the Problem that the other face would give.

GraphQL refuses such values before the services see them. Where they belong to an operation's input, the input model is
asked all the same what is wrong with them, so that both faces answer alike; elsewhere the path of the value is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    Visitor,
    is_input_type,
    type_from_ast,
    value_from_ast_untyped,
    visit,
)
from graphql.utilities.validate_input_value import validate_input_value

from graphql_schema.naming import field_name
from services.catalogue import Catalogue, Operation, Problem
from services.catalogue.models import NoInput, fields_of, parse_input
from services.catalogue.naming import camel
from services.catalogue.problems import VALIDATION_FAILED, FieldError
from services.catalogue.scalars import FieldType

_NO_CHOICE: Mapping[str, Any] = {}
"""Stands for a name that is no member of an enum: no enum takes an object."""


def variable_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> list[FieldError]:
    """What is wrong with the values of an operation's variables."""
    found: list[FieldError] = []
    for definition in operation.variable_definitions or ():
        name, kind = definition.variable.name.value, type_from_ast(schema, definition.type)
        if not is_input_type(kind) or (name not in variables and definition.default_value is not None):
            continue

        def report(error: GraphQLError, path: list[str | int], name: str = name) -> None:
            found.append(FieldError((name, *path), "type", "This is not a value of the type asked for."))

        if name in variables:
            validate_input_value(variables[name], kind, report, hide_suggestions=True)
        elif str(kind).endswith("!"):
            found.append(FieldError((name,), "required", "This variable is required."))
    return found


def literal_errors(document: DocumentNode, errors: tuple[GraphQLError, ...]) -> list[FieldError]:
    """Where in the arguments of a document the values at fault stand."""
    wanted = {id(error.nodes[0]) for error in errors if error.nodes}
    finder = _Finder(wanted)
    visit(document, finder)
    return finder.found or [FieldError((), "type", "A value in the document is not of the type asked for.")]


class _Finder(Visitor):
    def __init__(self, wanted: set[int]) -> None:
        super().__init__()
        self.wanted, self.found = wanted, list[FieldError]()

    def enter(self, node: Node, _key: Any, parent: Any, _path: Any, ancestors: list[Any]) -> None:
        """Note the path of a node that is wanted, from its argument down."""
        if id(node) in self.wanted:
            named = [each for each in [*ancestors, parent, node] if isinstance(each, (ArgumentNode, ObjectFieldNode))]
            path = tuple(each.name.value for each in named)
            self.found.append(FieldError(path, "type", "This is not a value of the type asked for."))


def called_operations(catalogue: Catalogue, operation: OperationDefinitionNode) -> list[Operation]:
    """The catalogue's operations that a GraphQL operation calls directly, in order."""
    by_field = {field_name(each): each for each in catalogue.operations.values()}
    names = [each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)]
    return [by_field[name] for name in names if name in by_field]


def input_problem(
    catalogue: Catalogue, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Problem | None:
    """What the input models of a mutation's fields have to say about its inputs."""
    by_field = {field_name(each): each for each in called_operations(catalogue, operation) if not each.is_read}
    for node in operation.selection_set.selections:
        declared = by_field.get(node.name.value) if isinstance(node, FieldNode) else None
        if declared is None or not isinstance(node, FieldNode):
            continue
        given = next((each.value for each in node.arguments or () if each.name.value == "input"), None)
        value = value_from_ast_untyped(given, dict(variables)) if given is not None else None
        if isinstance(value, Mapping):
            try:
                parse_input(declared.input or NoInput, dict(_in_services_names(declared, value)))
            except Problem as problem:
                return problem
    return None


def _in_services_names(operation: Operation, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    fields = fields_of(operation.input or NoInput)
    names = {camel(name): name for name in fields}
    for key, each in value.items():
        if key == "id" and operation.on_a_row:
            continue
        name = names.get(key)
        yield (key, each) if name is None else (name, _in_services_values(fields[name], each))


def _in_services_values(kind: FieldType, value: Any) -> Any:
    if kind.enum is None or value is None:
        return value
    member = kind.enum.__members__.get(value) if isinstance(value, str) else None
    return member.value if member is not None else _NO_CHOICE


def values_problem(errors: list[FieldError]) -> Problem:
    """The Problem of values of the wrong type."""
    return Problem(VALIDATION_FAILED, errors=errors)
