"""Documents that use all of a schema: each root field with every argument, and whatever is below it, once."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

DEPTH = 2
"""Of relations below a root field."""


def documents(schema: GraphQLSchema) -> str:
    """One named operation for each root field."""
    roots = {"query": schema.query_type, "mutation": schema.mutation_type}
    return "\n\n".join(
        f"{word} {word.capitalize()}{name[0].upper()}{name[1:]}{_variables(field)} {{ {_field(schema, name, field)} }}"
        for word, root in roots.items()
        if root is not None
        for name, field in root.fields.items()
    )


def _variables(field: GraphQLField) -> str:
    told = ", ".join(f"${name}: {each.type}" for name, each in field.args.items())
    return f"({told})" if told else ""


def _field(schema: GraphQLSchema, name: str, field: GraphQLField) -> str:
    given = ", ".join(f"{each}: ${each}" for each in field.args)
    return f"{name}{f'({given})' if given else ''}{_selection(schema, get_named_type(field.type), DEPTH)}"


def _selection(schema: GraphQLSchema, kind: GraphQLNamedType, depth: int) -> str:
    if is_leaf_type(kind):
        return ""
    return f" {{ {' '.join(_parts(schema, kind, depth))} }}"


def _aliased(kind: str, part: str) -> str:
    return f"of{kind}{part[0].upper()}{part.partition(' ')[0][1:]}: {part}"


def _parts(schema: GraphQLSchema, kind: GraphQLNamedType, depth: int) -> Iterator[str]:
    if isinstance(kind, (GraphQLInterfaceType, GraphQLUnionType)):
        for each in schema.get_possible_types(kind):
            # Of several kinds, fields of one name need not be of one type.
            yield f"... on {each.name} {{ {' '.join(_aliased(each.name, part) for part in _parts(schema, each, 0))} }}"
        return
    assert isinstance(kind, GraphQLObjectType)
    for name, field in kind.fields.items():
        target = get_named_type(field.type)
        is_row = isinstance(target, GraphQLObjectType) and bool(field.args or target.interfaces)
        if is_leaf_type(target) or not is_row or depth:
            assert not any(is_required_argument(each) for each in field.args.values())
            yield name + _selection(schema, target, depth - is_row)
