"""The paths of the schema graph, read off the schema: from every root field through every field that leads to rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_interface_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

FULL: Final = bool(os.environ.get("REACH_FULL"))
"""Every path from every root field as every caller: some minutes. Otherwise see `ordinary` and `shallow`."""
DEPTH: Final = 4
"""Types of rows on a path, the root's included."""


class Way(Enum):
    """How a field leads to rows."""

    ONE = "one"
    """To one row or none."""
    PAGE = "page"
    """To a page of rows."""
    ANY = "any"
    """To a row of any type, by an identifier."""
    SEVERAL = "several"
    """To several of those."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A field that leads to rows of a type. `arguments`: the names of those that it cannot do without."""

    field: str
    type: str
    way: Way
    arguments: tuple[str, ...] = ()


Path = tuple[Hop, ...]


def full(root: Hop) -> int:
    """How far to go from a root field: all the way."""
    return DEPTH


def ordinary(root: Hop) -> int:
    """From a list all the way, from what shows single rows a step less: the fields behind those are the lists' own."""
    return DEPTH if root.way is Way.PAGE or FULL else DEPTH - 1


def shallow(root: Hop) -> int:
    """For an admin, from whom nothing but what nobody may see is kept, wherever they come from."""
    return ordinary(root) if FULL else ordinary(root) - 1


def paths(
    schema: GraphQLSchema, root: GraphQLNamedType | None, depth: Callable[[Hop], int] = ordinary
) -> Iterator[Path]:
    """Every path from the fields of a root type that cannot be made longer."""
    assert is_object_type(root)
    for first in hops(schema, root):
        yield from _longer(schema, (first,), depth(first))


def _longer(schema: GraphQLSchema, path: Path, depth: int) -> Iterator[Path]:
    target = schema.type_map[path[-1].type]
    assert is_object_type(target)
    below = hops(schema, target) if len(path) < depth else []
    for hop in below:
        yield from _longer(schema, (*path, hop), depth)
    if not below:
        yield path


def hops(schema: GraphQLSchema, parent: GraphQLObjectType) -> list[Hop]:
    """The fields of a type that lead to rows."""
    return [hop for name, field in parent.fields.items() for hop in _hops(schema, name, field)]


def _hops(schema: GraphQLSchema, name: str, field: GraphQLField) -> list[Hop]:
    kind: Any = get_named_type(field.type)
    required = tuple(each for each, argument in field.args.items() if is_non_null_type(argument.type))
    if is_row(kind):
        return [Hop(name, kind.name, Way.ONE, required)]
    if is_interface_type(kind):
        way = Way.SEVERAL if _is_list(field.type) else Way.ANY
        return [Hop(name, each.name, way, required) for each in schema.get_possible_types(kind)]
    if is_object_type(kind) and {"edges", "nodes"} <= set(kind.fields):
        return [Hop(name, get_named_type(kind.fields["nodes"].type).name, Way.PAGE, required)]
    leads = is_object_type(kind) and any(hops(schema, kind))
    assert not leads, f"The walk does not know how to go through {kind}, to which {name} leads."
    return []


def is_row(kind: GraphQLNamedType) -> bool:
    """Whether a type is a resource's."""
    return is_object_type(kind) and any(each.name == "Node" for each in kind.interfaces)


def plain(kind: GraphQLNamedType) -> str:
    """A selection of everything of a type that leads to no rows."""
    assert is_object_type(kind)
    parts = ["__typename"]
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif is_object_type(inner) and not is_row(inner) and "nodes" not in inner.fields:
            edges = "node" in inner.fields
            parts += [] if edges else [f"{name} {{ {plain(inner)} }}"]
    return " ".join(parts)


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)
