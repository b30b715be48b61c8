"""Idempotency keys of mutations: the header's, or the argument `idempotencyKey` of a field, which wins.

A field with a key takes the planned way whatever else holds, since only there the payload is known before the commit.
What is stored is the payload as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    SelectionSetNode,
    VariableNode,
    print_ast,
    visit,
)
from graphql.language import Visitor

from services.idempotency.keys import HEADER, checked_key

ARGUMENT: Final = "idempotencyKey"
_HEADER: Final = HEADER.lower().encode()


def may_have_key(headers: Mapping[bytes, bytes], document: str) -> bool:
    """Whether it is worth looking for a key in a request."""
    return _HEADER in headers or ARGUMENT in document


def key_of_field(argument: Any, header: str | None, field: str | None) -> str | None:
    """The key of a mutation field; `field` is its response name where the document has several fields.

    Each of these has a key of its own then, which nobody can send as one. Raises `validation_failed`.
    """
    if argument is not None:
        return checked_key(argument)
    return header if header is None or field is None else f"{header}\n{field}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a mutation field asks to be shown: a digest of its selection as it is written, and the variables in it."""

    digest: str
    variables: tuple[str, ...]

    def with_values(self, variables: Mapping[str, Any]) -> bytes:
        """What stands for it in one call."""
        values = {name: variables.get(name) for name in self.variables}
        return b"graphql " + orjson.dumps([self.digest, values], default=str, option=orjson.OPT_SORT_KEYS)


def asked_of(nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Asked:
    """What the nodes of one mutation field ask for, with the fragments that they come to."""
    waiting: list[SelectionSetNode | FragmentDefinitionNode] = [
        each.selection_set for each in nodes if each.selection_set is not None
    ]
    finder, written, found = _Finder(), sha256(), set[str]()
    while waiting:
        node = waiting.pop(0)
        written.update(print_ast(node).encode())
        visit(node, finder)
        waiting += [fragments[name] for name in finder.spreads if name not in found]
        found |= finder.spreads.keys()
    return Asked(written.hexdigest(), tuple(finder.variables))


class _Finder(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.spreads: dict[str, None] = {}
        self.variables: dict[str, None] = {}

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        """Note a fragment."""
        self.spreads[node.name.value] = None

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        """Note a variable."""
        self.variables[node.name.value] = None
