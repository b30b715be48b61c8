"""Idempotency keys of mutations: the header's, or the argument `idempotencyKey` of a field, which wins.

A field with a key takes the planned way whatever else holds, since only there the payload is known before the commit.
What is stored is the payload as JSON.

The header's key is that of the whole HTTP request. Where this is one mutation field, it is that field's. Where it is
several, or a batch, each field has a key of its own, made of the header's, and all of them stand or fall with the
request: the document as it is executed, or all entries of the batch.
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

from graphql_schema.documents.requests import GraphQLRequest
from graphql_schema.schema.context import RequestKey
from services.catalogue import Problem
from services.documents.known import DocumentResolver
from services.engine.idempotency.keys import HEADER, checked_key
from services.engine.idempotency.once import IdempotentRequest

ARGUMENT: Final = "idempotencyKey"
_HEADER: Final = HEADER.lower().encode()


def has_key(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request has the header."""
    return _HEADER in headers


def may_have_key(headers: Mapping[bytes, bytes], document: str) -> bool:
    """Whether it is worth looking for a key in a request."""
    return _HEADER in headers or ARGUMENT in document


@dataclass(frozen=True, slots=True)
class FieldKey:
    """The key of a mutation field, and the request that it stands or falls with."""

    text: str
    whole: IdempotentRequest | None = None


def key_of_field(
    argument: Any, header: RequestKey | None, whole: IdempotentRequest | None, name: str | None
) -> FieldKey | None:
    """The key of a mutation field; `name` is its response name where the document has several fields.

    One of its own is about nothing but the field. Raises `validation_failed`.
    """
    if argument is not None:
        return FieldKey(checked_key(argument))
    return FieldKey(header.of_field(name), whole) if header is not None else None


async def asked_by_batch(batch: Iterable[GraphQLRequest | Problem], known: DocumentResolver) -> bytes:
    """What stands for all entries of a batch: their documents, whether named or sent, operations and variables.

    The documents are told apart by their texts, since some may not be known before others have been run.
    """
    entries = [
        each.type.code if isinstance(each, Problem)
        else [await known.digest(each.query, each.reference), each.operation_name, each.variables]
        for each in batch
    ]  # fmt: skip
    digest = sha256(orjson.dumps(entries, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return b"graphql batch " + digest.encode()


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
