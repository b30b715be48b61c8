"""JSON Schema (2020-12, as OpenAPI 3.1 has it) of GraphQL's types and of what a document answers; constants as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_named_type,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    value_from_ast_untyped,
)

from services.catalogue.scalars import SCALARS

_FLOAT: Final = {"type": "number", "format": "double"}
_SCALARS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Float": _FLOAT,
    **{each.graphql: each.schema for each in reversed(SCALARS.values()) if each.graphql != "Enum"},
}
"""By GraphQL's names; of a name that several Python types share, the plainest."""


def leaf_schema(kind: Any) -> dict[str, Any] | None:
    """The schema of a scalar or an enum; None for scalars that are not in the table."""
    if is_enum_type(kind):
        enum: GraphQLEnumType = kind
        return {"type": "string", "enum": list(enum.values)}
    found = _SCALARS.get(kind.name)
    return dict(found) if found is not None else None


def json_value(node: ValueNode, kind: Any) -> Any:
    """A constant in a valid document as the JSON value of its type that a client would send."""
    if is_non_null_type(kind):
        return json_value(node, kind.of_type)
    if isinstance(node, NullValueNode):
        return None
    if is_list_type(kind):
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        return [json_value(each, kind.of_type) for each in nodes]
    if isinstance(node, ObjectValueNode):
        return {each.name.value: json_value(each.value, kind.fields[each.name.value].type) for each in node.fields}
    if isinstance(node, IntValueNode) and kind.name == "ID":
        return node.value
    return value_from_ast_untyped(node)


def answer_schema(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> dict[str, Any]:
    """The schema of a valid operation's data."""
    root = schema.get_root_type(operation.operation)
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    return _Answers(schema, fragments).of_object([operation.selection_set], root)


class _Answers:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema, self._fragments = schema, fragments

    def of_object(self, selected: list[SelectionSetNode], kind: Any) -> dict[str, Any]:
        """The schema of an object of the type, with what is selected on it."""
        nodes: dict[str, list[FieldNode]] = {}
        parents: dict[str, Any] = {}
        required: dict[str, None] = {}
        for each in selected:
            for node, parent, is_sure in self._fields(each, kind):
                key = node.alias.value if node.alias is not None else node.name.value
                nodes.setdefault(key, []).append(node)
                parents.setdefault(key, parent)
                if is_sure:
                    required[key] = None
        properties = {key: self._field(found, parents[key]) for key, found in nodes.items()}
        return {"type": "object", "properties": properties, "required": list(required)}

    def _fields(self, selected: SelectionSetNode, kind: Any) -> Iterator[tuple[FieldNode, Any, bool]]:
        """The fields of a selection, with the types they are of, and whether they are there in any case."""
        for each in selected.selections:
            is_sure = not each.directives
            if isinstance(each, FieldNode):
                yield each, kind, is_sure
                continue
            inner: Any = self._fragments[each.name.value] if isinstance(each, FragmentSpreadNode) else each
            condition = inner.type_condition
            of = self._schema.get_type(condition.name.value) if condition is not None else kind
            always = is_sure and (of is kind or (is_abstract_type(of) and self._schema.is_sub_type(of, kind)))
            for node, parent, sure in self._fields(inner.selection_set, of):
                yield node, parent, sure and always

    def _field(self, nodes: list[FieldNode], parent: Any) -> dict[str, Any]:
        name = nodes[0].name.value
        if name == "__typename":
            return {"type": "string"}
        definition = parent.fields.get(name)
        if definition is None:  # introspection's own fields
            return {}
        return self._value(definition.type, [each.selection_set for each in nodes if each.selection_set is not None])

    def _value(self, kind: Any, below: list[SelectionSetNode]) -> dict[str, Any]:
        if is_non_null_type(kind):
            return self._present(kind.of_type, below)
        found = self._present(kind, below)
        if "type" in found:
            found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
        return found

    def _present(self, kind: Any, below: list[SelectionSetNode]) -> dict[str, Any]:
        if is_list_type(kind):
            return {"type": "array", "items": self._value(kind.of_type, below)}
        if is_leaf_type(kind):
            return leaf_schema(kind) or {}
        return self.of_object(below, get_named_type(kind))
