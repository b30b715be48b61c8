"""Errors in the values of documents and variables, as field errors with the codes and messages of the services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectFieldNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableNode,
    Visitor,
    is_enum_type,
    is_input_object_type,
    is_input_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    type_from_ast,
    value_from_ast_untyped,
    visit,
)

from graphql_schema.schema.fields import NameFinder
from services.catalogue.problems import MAX_ERRORS, FieldError
from services.catalogue.scalars import coerce_integer
from services.queries.limits import DEFAULTS, Limits

Path = tuple[str | int, ...]


def variable_errors(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any],
    limits: Limits = DEFAULTS,
) -> list[FieldError]:  # fmt: skip
    """Return the errors in the values of an operation's variables, at the arguments that the variables are used in."""
    uses = _VariableUses()
    visit(operation, uses)
    first_paths = {name: path for name, path, _ in reversed(uses.found)}
    errors = value_errors(schema, operation, variables, limits, first_paths)
    return errors or _null_errors(schema, document, operation, variables)


def variable_places(document: DocumentNode) -> dict[Path, set[str]]:
    """Return the argument paths of a document at which variables are used, with the variables' names."""
    uses = _VariableUses()
    visit(document, uses)
    places: dict[Path, set[str]] = {}
    for name, path, _ in uses.found:
        places.setdefault(path, set()).add(name)
    return places


def value_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: Limits,
    paths: Mapping[str, Path],
) -> list[FieldError]:  # fmt: skip
    """Return the errors in the values of an operation's variables, at `paths` or else at the variables' own names."""
    # Creating input objects costs more than refusing them.
    most = limits.GRAPHQL_MAX_INPUT_OBJECTS
    budget = iter(range(most))
    errors: list[FieldError] = []
    for definition in operation.variable_definitions or ():
        name, kind = definition.variable.name.value, type_from_ast(schema, definition.type)
        if not is_input_type(kind) or (name not in variables and definition.default_value is not None):
            continue
        if name in variables or is_non_null_type(kind):
            path = paths.get(name, (name,))
            try:
                errors += islice(_errors_in(variables.get(name), kind, path, budget), MAX_ERRORS - len(errors))
            except _TooManyError:
                return [FieldError(path, "length", f"This should hold at most {most} objects.")]
    return errors


def _null_errors(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> list[FieldError]:
    """Return an error for each null in a non-null place.

    Validation allows a nullable variable in such a place if it has a default, but its value may still be null.
    """
    nulls = {
        definition.variable.name.value
        for definition in operation.variable_definitions or ()
        if definition.default_value is not None and variables.get(definition.variable.name.value, definition) is None
    }
    if not nulls:
        return []
    info = TypeInfo(schema)
    uses = _VariableUses(info)
    for definition in NameFinder(document).reach(operation):
        visit(definition, TypeInfoVisitor(info, uses))
    paths = dict.fromkeys(path for name, path, kind in uses.found if name in nulls and is_non_null_type(kind))
    return [FieldError(path, "required", "This field is required.") for path in paths]


def literal_errors(
    schema: GraphQLSchema, document: DocumentNode, errors: tuple[GraphQLError, ...], variables: Mapping[str, Any]
) -> list[FieldError]:
    """Return the errors in the literals of a document. `errors` are those of graphql-core's validation."""
    info = TypeInfo(schema)
    finder = _LiteralChecker(info, [position for error in errors for position in error.positions or ()], variables)
    visit(document, TypeInfoVisitor(info, finder))
    return finder.errors or [FieldError((), "type", "A value in the document is not of the type asked for.")]


class _TooManyError(Exception):
    """Raised when a value has more input objects than `Limits.GRAPHQL_MAX_INPUT_OBJECTS`."""


def _errors_in(value: Any, kind: Any, path: Path, budget: Iterator[int]) -> Iterator[FieldError]:
    """Yield the errors in a JSON value of an input type, with the codes and messages that the input models use."""
    if is_non_null_type(kind):
        kind = kind.of_type
        if value is None:
            yield FieldError(path, "required", "This field is required.")
    if value is None:
        return
    if is_list_type(kind):
        for index, element in enumerate(value if isinstance(value, list) else [value]):
            yield from _errors_in(element, kind.of_type, (*path, index), budget)
    elif is_input_object_type(kind):
        if next(budget, None) is None:
            raise _TooManyError
        yield from _errors_in_object(value, kind, path, budget)
    elif is_leaf_type(kind):
        try:
            kind.parse_value(value)
        except Exception:  # noqa: BLE001 - a scalar may refuse a value with any exception
            yield FieldError(path, *_leaf_error(value, kind))


def _errors_in_object(
    value: Any, kind: GraphQLInputObjectType, path: Path, budget: Iterator[int]
) -> Iterator[FieldError]:
    if not isinstance(value, Mapping):
        yield FieldError(path, "type", "This must be an object.")
        return
    prefix = () if path == ("input",) else path
    for name, member in kind.fields.items():
        if name in value or is_required_input_field(member):
            yield from _errors_in(value.get(name), member.type, (*prefix, name), budget)
    for name in value:
        if name not in kind.fields:
            yield FieldError((*prefix, name), "unknown", "There is no such field.")


def _leaf_error(value: Any, kind: Any) -> tuple[str, str]:
    if is_enum_type(kind):
        return "choice", "This is not one of the values allowed here."
    if kind.name == "Int" and type(coerce_integer(value)) is int:
        return "range", "This integer is out of range."
    return "type", _TYPE_MESSAGES.get(kind.name, "This is not a value of the type asked for.")


_TYPE_MESSAGES: Mapping[str, str] = {
    "Int": "This must be an integer.",
    "String": "This must be a string.",
    "Boolean": "This must be true or false.",
    "Upload": "This must be a file of a form: see the GraphQL multipart request specification.",
}


def _argument_path(nodes: Iterable[Any]) -> Path:
    """Return the path of a value: its argument, then the input fields around it. A leading `input` is left out."""
    names = [node.name.value for node in nodes if isinstance(node, (ArgumentNode, ObjectFieldNode))]
    return tuple(names[1:] if names[:1] == ["input"] and len(names) > 1 else names)


class _VariableUses(Visitor):
    """Collects the uses of variables in arguments: name, argument path and, with `info`, the expected type."""

    def __init__(self, info: TypeInfo | None = None) -> None:
        super().__init__()
        self._info = info
        self.found: list[tuple[str, Path, Any]] = []

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, _path: Any, ancestors: list[Any]) -> None:
        above = [*ancestors, parent]
        if any(isinstance(ancestor, ArgumentNode) for ancestor in above):
            expected = self._info.get_input_type() if self._info is not None else None
            self.found.append((node.name.value, _argument_path(above), expected))


class _LiteralChecker(Visitor):
    """Collects the errors in the arguments that include one of the given positions."""

    def __init__(self, info: TypeInfo, positions: list[int], variables: Mapping[str, Any]) -> None:
        super().__init__()
        self._info, self._positions, self._variables = info, positions, dict(variables)
        self._innermost: Path = ()
        """The path of the innermost object field of the argument that has an error, or else of the argument."""
        self.errors: list[FieldError] = []

    def enter_object_field(self, node: ObjectFieldNode, _key: Any, parent: Any, _path: Any, above: list[Any]) -> None:
        if self._has_error(node.value):
            self._innermost = _argument_path([*above, parent, node])

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        self._innermost = _argument_path([node])

    def leave_argument(self, node: ArgumentNode, *_: Any) -> None:
        if not self._has_error(node.value):
            return
        value = value_from_ast_untyped(node.value, self._variables)
        errors = _errors_in(value, self._info.get_input_type(), _argument_path([node]), count(1))
        self.errors += list(islice(errors, MAX_ERRORS)) or [
            FieldError(self._innermost, "type", "This is not a value of the type asked for.")
        ]

    def _has_error(self, value: ValueNode) -> bool:
        location = value.loc
        return location is not None and any(location.start <= at < location.end for at in self._positions)
