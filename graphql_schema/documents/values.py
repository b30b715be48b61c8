"""Values of the wrong type, in documents and variables, as the Problem that the other face would give.

GraphQL refuses such values before the services see them. Where they belong to an operation's input, the input model is
asked all the same what is wrong with them, so that both faces answer alike; elsewhere the path of the value is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import count, islice
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionNode,
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
from pydantic import BaseModel

from graphql_schema.schema.fields import parts_of
from graphql_schema.schema.naming import called_by_field, field_name
from services.catalogue import Catalogue, Operation, Problem
from services.catalogue.batches import MAX_ENTRIES
from services.catalogue.models import NoInput, fields_of, parse_input
from services.catalogue.naming import camel
from services.catalogue.problems import MAX_ERRORS, FieldError
from services.catalogue.scalars import FieldType, integral
from services.queries.batches import parse_batch
from services.queries.limits import DEFAULTS, Limits

Path = tuple[str | int, ...]

_NO_CHOICE: Mapping[str, Any] = {}
"""Stands for a name that is no member of an enum: no enum takes an object."""


def variable_errors(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any],
    limits: Limits = DEFAULTS,
) -> list[FieldError]:  # fmt: skip
    """What is wrong with the values of an operation's variables, at the arguments that they are used in."""
    places = _Places()
    visit(operation, places)
    found = _value_errors(schema, operation, variables, limits, lambda name: places.found.get(name, (name,)))
    return found or _null_errors(schema, document, operation, variables)


def named_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: Limits
) -> list[FieldError]:
    """As `variable_errors`, at the variables' own names."""
    return _value_errors(schema, operation, variables, limits, lambda name: (name,))


def variable_places(document: DocumentNode) -> dict[Path, set[str]]:
    """The places of a document that variables are used in, with the variables."""
    places = _Places()
    visit(document, places)
    return places.used


def _value_errors(
    schema: GraphQLSchema, operation: OperationDefinitionNode, variables: Mapping[str, Any], limits: Limits,
    place: Callable[[str], Path],
) -> list[FieldError]:  # fmt: skip
    # Making input objects costs more than refusing them.
    budget = iter(range(limits.input_objects))
    found: list[FieldError] = []
    for definition in operation.variable_definitions or ():
        name, kind = definition.variable.name.value, type_from_ast(schema, definition.type)
        if not is_input_type(kind) or (name not in variables and definition.default_value is not None):
            continue
        if name in variables or is_non_null_type(kind):
            path = place(name)
            try:
                found += islice(_faults(variables.get(name), kind, path, budget), MAX_ERRORS - len(found))
            except _TooManyError:
                return [FieldError(path, "length", f"This should hold at most {limits.input_objects} objects.")]
    return found


def _null_errors(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> list[FieldError]:
    """Nulls where none may be: a variable that has a default is let in there, and may be given as null all the same."""
    nulls = {
        each.variable.name.value
        for each in operation.variable_definitions or ()
        if each.default_value is not None and variables.get(each.variable.name.value, each) is None
    }
    if not nulls:
        return []
    info = TypeInfo(schema)
    finder = _Nulls(info, nulls)
    for each in parts_of(document, operation):
        visit(each, TypeInfoVisitor(info, finder))
    return [FieldError(path, "required", "This field is required.") for path in finder.found]


def literal_errors(
    schema: GraphQLSchema, document: DocumentNode, errors: tuple[GraphQLError, ...], variables: Mapping[str, Any]
) -> list[FieldError]:
    """What is wrong with the values written in a document, where validation has found `errors`."""
    info = TypeInfo(schema)
    finder = _Finder(info, [each for error in errors for each in error.positions or ()], variables)
    visit(document, TypeInfoVisitor(info, finder))
    return finder.found or [FieldError((), "type", "A value in the document is not of the type asked for.")]


class _TooManyError(Exception):
    """More input objects than are worth looking at."""


def _faults(value: Any, kind: Any, path: Path, budget: Iterator[int]) -> Iterator[FieldError]:
    """What is wrong with a JSON value of an input type, in the words of the input models."""
    if is_non_null_type(kind):
        kind = kind.of_type
        if value is None:
            yield FieldError(path, "required", "This field is required.")
    if value is None:
        return
    if is_list_type(kind):
        for index, each in enumerate(value if isinstance(value, list) else [value]):
            yield from _faults(each, kind.of_type, (*path, index), budget)
    elif is_input_object_type(kind):
        if next(budget, None) is None:
            raise _TooManyError
        yield from _object_faults(value, kind, path, budget)
    elif is_leaf_type(kind):
        try:
            kind.parse_value(value)
        except Exception:  # noqa: BLE001 - whatever a scalar raises, it refuses the value
            yield FieldError(path, *_wrong(value, kind))


def _object_faults(value: Any, kind: GraphQLInputObjectType, path: Path, budget: Iterator[int]) -> Iterator[FieldError]:
    if not isinstance(value, Mapping):
        yield FieldError(path, "type", "This must be an object.")
        return
    within = () if path == ("input",) else path
    for name, member in kind.fields.items():
        if name in value or is_required_input_field(member):
            yield from _faults(value.get(name), member.type, (*within, name), budget)
    for name in value:
        if name not in kind.fields:
            yield FieldError((*within, name), "unknown", "There is no such field.")


def _wrong(value: Any, kind: Any) -> tuple[str, str]:
    if is_enum_type(kind):
        return "choice", "This is not one of the values allowed here."
    if kind.name == "Int" and type(integral(value)) is int:
        return "range", "This integer is out of range."
    return "type", _MUST_BE.get(kind.name, "This is not a value of the type asked for.")


_MUST_BE: Mapping[str, str] = {
    "Int": "This must be an integer.",
    "String": "This must be a string.",
    "Boolean": "This must be true or false.",
    "Upload": "This must be a file of a form: see the GraphQL multipart request specification.",
}


def _place(nodes: Iterable[Any]) -> Path:
    """The path to a value in a document: its argument and members of inputs; `input` itself is left out."""
    names = [each.name.value for each in nodes if isinstance(each, (ArgumentNode, ObjectFieldNode))]
    return tuple(names[1:] if names[:1] == ["input"] and len(names) > 1 else names)


class _Places(Visitor):
    """Finds where variables are used."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Path] = {}
        self.used: dict[Path, set[str]] = {}

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, _path: Any, ancestors: list[Any]) -> None:
        """Note the place."""
        place = _place([*ancestors, parent])
        if any(isinstance(each, ArgumentNode) for each in [*ancestors, parent]):
            self.found.setdefault(node.name.value, place)
            self.used.setdefault(place, set()).add(node.name.value)


class _Nulls(Visitor):
    """Finds where variables that are null are used, and nothing may be null."""

    def __init__(self, info: TypeInfo, names: set[str]) -> None:
        super().__init__()
        self.info, self.names = info, names
        self.found: dict[Path, None] = {}

    def enter_variable(self, node: VariableNode, _key: Any, parent: Any, _path: Any, ancestors: list[Any]) -> None:
        """Note the place."""
        if node.name.value in self.names and is_non_null_type(self.info.get_input_type()):
            self.found[_place([*ancestors, parent])] = None


class _Finder(Visitor):
    """Asks again what is wrong with the arguments that validation has found faults in."""

    def __init__(self, info: TypeInfo, positions: list[int], variables: Mapping[str, Any]) -> None:
        super().__init__()
        self.info, self.positions, self.variables = info, positions, dict(variables)
        self.found: list[FieldError] = []
        self.inside: Path = ()

    def enter_object_field(self, node: ObjectFieldNode, _key: Any, parent: Any, _path: Any, above: list[Any]) -> None:
        """Note the innermost place of a fault."""
        if self._has_fault(node.value):
            self.inside = _place([*above, parent, node])

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Begin with the argument itself."""
        self.inside = _place([node])

    def leave_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Note the faults of an argument."""
        if not self._has_fault(node.value):
            return
        value, path = value_from_ast_untyped(node.value, self.variables), _place([node])
        faults = list(islice(_faults(value, self.info.get_input_type(), path, count(1)), MAX_ERRORS))
        self.found += faults or [FieldError(self.inside, "type", "This is not a value of the type asked for.")]

    def _has_fault(self, value: ValueNode) -> bool:
        place = value.loc
        return place is not None and any(place.start <= each < place.end for each in self.positions)


def called_operations(catalogue: Catalogue, operation: OperationDefinitionNode) -> list[Operation]:
    """The catalogue's operations that a GraphQL operation calls directly, in order."""
    by_field = called_by_field(catalogue)
    names = [each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)]
    return [by_field[name] for name in names if name in by_field]


def input_problem(
    catalogue: Catalogue, fields: Iterable[SelectionNode], variables: Mapping[str, Any], limits: Limits
) -> Problem | None:
    """What the input models of a mutation's fields have to say about its inputs."""
    by_field = {field_name(each): each for each in catalogue.operations.values() if not each.is_read}
    for node in fields:
        declared = by_field.get(node.name.value) if isinstance(node, FieldNode) else None
        if declared is None or not isinstance(node, FieldNode):
            continue
        given = next((each.value for each in node.arguments or () if each.name.value == "input"), None)
        value = value_from_ast_untyped(given, dict(variables)) if given is not None else None
        if isinstance(value, Mapping):
            try:
                _judge(declared, dict(_in_services_names(declared, value)), limits)
            except Problem as problem:
                return problem
    return None


def _judge(operation: Operation, data: Mapping[str, Any], limits: Limits) -> None:
    if not operation.entries:
        parse_input(operation.input or NoInput, data)
        return
    # Of a wrong type, an entry is wrong wherever it is: GraphQL runs none of them.
    whole = {**data, "atomic": True} if isinstance(data.get("atomic"), bool) else data
    parse_batch(operation, whole, limits.batch_entries)


def _in_services_names(operation: Operation, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    fields = fields_of(operation.input or NoInput)
    names = {camel(name): name for name in fields}
    for key, each in value.items():
        if key == "id" and operation.on_a_row:
            continue
        name = names.get(key)
        yield (key, each) if name is None else (name, _in_services_values(fields[name], each))


@cache
def _by_camel_names(model: type[BaseModel]) -> Mapping[str, tuple[str, FieldType]]:
    return {camel(name): (name, each) for name, each in fields_of(model).items()}


def _in_services_values(kind: FieldType, value: Any) -> Any:
    if kind.many and isinstance(value, list):
        one = replace(kind, many=False)
        # Of objects, too many are refused however many there are.
        judged = value[: MAX_ENTRIES + 1] if issubclass(kind.python, BaseModel) else value
        return [_in_services_values(one, each) for each in judged]
    if issubclass(kind.python, BaseModel) and isinstance(value, Mapping):
        names = _by_camel_names(kind.python)
        known = {key: names[key] for key in value if key in names}
        inner = {name: _in_services_values(each, value[key]) for key, (name, each) in known.items()}
        return {**inner, **{key: each for key, each in value.items() if key not in names}}
    if kind.enum is None or value is None:
        return value
    member = kind.enum.__members__.get(value) if isinstance(value, str) else None
    return member.value if member is not None else _NO_CHOICE
