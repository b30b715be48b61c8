"""Idempotency keys of mutations: the header's, or the argument `idempotencyKey` of a field, which wins.

A field with a key takes the planned way whatever else holds, since only there the payload is known before the commit.
What is stored is the payload as JSON.

The header's key is that of the whole HTTP request. Where this is one mutation field, it is that field's. Where it is
several, or a batch, each field has a key of its own, made of the header's, and all of them stand or fall with the
request: the document as it is executed, or all entries of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

import orjson
from graphql import DocumentNode, FieldNode, print_ast

from graphql_schema.documents.requests import GraphQLRequest
from graphql_schema.schema.fields import NameFinder
from services.catalogue import Problem
from services.documents.known import DocumentResolver
from services.engine.idempotency.keys import HEADER

ARGUMENT: Final = "idempotencyKey"
_HEADER: Final = HEADER.lower().encode()


def has_key(headers: Mapping[bytes, bytes]) -> bool:
    return _HEADER in headers


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


def asked_of(nodes: Iterable[FieldNode], document: DocumentNode) -> Callable[[Mapping[str, Any]], bytes]:
    """Return a function from the variables to what stands for all that a mutation field asks to be shown.

    This is a digest of its selection as it is written, fragments included, and the variables in it.
    """
    names, written = NameFinder(document), sha256()
    for node in names.reach(*(each.selection_set for each in nodes if each.selection_set is not None)):
        written.update(print_ast(node).encode())
    digest, used = written.hexdigest(), tuple(names.variables)

    def asked(variables: Mapping[str, Any]) -> bytes:
        values = {name: variables.get(name) for name in used}
        return b"graphql " + orjson.dumps([digest, values], default=str, option=orjson.OPT_SORT_KEYS)

    return asked
