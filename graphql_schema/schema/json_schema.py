"""Derives JSON Schemas (2020-12, as in OpenAPI 3.1) from GraphQL types and documents, and JSON from literals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_nullable_type,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    value_from_ast_untyped,
)

from graphql_schema.schema.fields import fragments_of
from services.catalogue.scalars import SCALARS

_SCALARS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Float": {"type": "number", "format": "double"},
    **{scalar.graphql: scalar.schema for scalar in reversed(SCALARS.values()) if scalar.graphql != "Enum"},
}
"""Schemas by GraphQL name. If several Python types share a name, the first one in SCALARS counts."""


def leaf_schema(kind: Any) -> dict[str, Any] | None:
    """Return the schema of a scalar or an enum, or None for an unknown scalar."""
    if is_enum_type(kind):
        return {"type": "string", "enum": list(kind.values)}
    schema = _SCALARS.get(kind.name)
    return dict(schema) if schema is not None else None


def json_value(node: ValueNode, kind: Any) -> Any:
    """Return the JSON value that a client would send for a literal of the type. The literal must be valid."""
    kind = get_nullable_type(kind)
    if isinstance(node, NullValueNode):
        return None
    if is_list_type(kind):
        nodes = node.values if isinstance(node, ListValueNode) else (node,)
        return [json_value(element, kind.of_type) for element in nodes]
    if isinstance(node, ObjectValueNode):
        members = {member.name.value: member.value for member in node.fields}
        return {name: json_value(value, kind.fields[name].type) for name, value in members.items()}
    if isinstance(node, IntValueNode) and kind.name == "ID":
        return node.value
    return value_from_ast_untyped(node)


def answer_schema(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> dict[str, Any]:
    """Return the schema of a valid operation's data."""
    root = schema.get_root_type(operation.operation)
    return _AnswerSchemas(schema, fragments_of(document)).object([operation.selection_set], root)


class _AnswerSchemas:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema, self._fragments = schema, fragments

    def object(self, selection_sets: list[SelectionSetNode], kind: Any) -> dict[str, Any]:
        """Return the schema of an object of the type with the selected fields."""
        nodes: dict[str, list[FieldNode]] = {}
        parents: dict[str, Any] = {}
        required: dict[str, None] = {}
        for selection_set in selection_sets:
            for node, parent, is_required in self._fields(selection_set, kind):
                key = node.alias.value if node.alias is not None else node.name.value
                nodes.setdefault(key, []).append(node)
                parents.setdefault(key, parent)
                if is_required:
                    required[key] = None
        properties = {key: self._field(same_key, parents[key]) for key, same_key in nodes.items()}
        return {"type": "object", "properties": properties, "required": list(required)}

    def _fields(self, selection_set: SelectionSetNode, kind: Any) -> Iterator[tuple[FieldNode, Any, bool]]:
        """Yield the fields of a selection with their parent types, and whether every answer has them."""
        for selection in selection_set.selections:
            unconditional = not selection.directives
            if isinstance(selection, FieldNode):
                yield selection, kind, unconditional
                continue
            fragment: Any = selection
            if isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments[selection.name.value]
            condition = fragment.type_condition
            on = self._schema.get_type(condition.name.value) if condition is not None else kind
            always = unconditional and (on is kind or (is_abstract_type(on) and self._schema.is_sub_type(on, kind)))
            for node, parent, is_required in self._fields(fragment.selection_set, on):
                yield node, parent, is_required and always

    def _field(self, nodes: list[FieldNode], parent: Any) -> dict[str, Any]:
        name = nodes[0].name.value
        if name == "__typename":
            return {"type": "string"}
        definition = parent.fields.get(name)
        if definition is None:  # introspection's own fields
            return {}
        return self._value(definition.type, [node.selection_set for node in nodes if node.selection_set is not None])

    def _value(self, kind: Any, below: list[SelectionSetNode]) -> dict[str, Any]:
        inner = get_nullable_type(kind)
        if is_list_type(inner):
            schema: dict[str, Any] = {"type": "array", "items": self._value(inner.of_type, below)}
        else:
            schema = leaf_schema(inner) or {} if is_leaf_type(inner) else self.object(below, inner)
        if inner is kind and "type" in schema:
            schema["type"] = [schema["type"], "null"]
        if inner is kind and "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
        return schema
