"""Reads the manifests of documents that client tools write, and validates them against the schema.

Relay's compiler writes `{"<identifier>": "<document>"}`, Apollo's tools write version 1 of
`apollo-persisted-query-manifest`. In both an entry is one operation with the fragments that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode

from graphql_schema.documents.complexity import Bound
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.documents.references import LONGEST
from graphql_schema.schema.errors import document_problem
from graphql_schema.schema.fields import operations_of
from services.catalogue import Problem
from services.catalogue.json_input import read_json
from services.documents.known import SHA256_PREFIX, is_digest
from services.documents.registering import NewDocument, RefusedDocumentsError, digest_of

APOLLO_FORMAT: Final = "apollo-persisted-query-manifest"
MAX_IDENTIFIER: Final = 255
MAX_TEXT: Final = 200_000
"""The longest document, in characters. Every worker keeps all documents in memory."""
assert MAX_IDENTIFIER <= LONGEST

_IDENTIFIER: Final = re.compile(rf"[!-~]{{1,{MAX_IDENTIFIER}}}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An unvalidated entry of a manifest. Relay's format has no name and no type."""

    id: Any
    text: Any
    name: Any = None
    type: Any = None


def read_manifest(text: bytes, schema: GraphQLSchema, documents: DocumentCache) -> list[NewDocument]:
    """Return the documents of a manifest. Raises RefusedDocumentsError with one sentence for each error."""
    entries = list(_entries(text))
    errors: list[str] = []
    by_id: dict[str, NewDocument] = {}
    for entry in entries:
        try:
            document = _document(entry, schema, documents)
        except RefusedDocumentsError as refused:
            errors += refused.sentences
            continue
        if by_id.setdefault(document.id, document).text != document.text:
            errors.append(f"{document.shown}: the identifier is there twice, with another text.")
    if errors:
        raise RefusedDocumentsError(errors)
    if not by_id:
        raise RefusedDocumentsError(["The manifest holds no documents."])
    return list(by_id.values())


def _entries(text: bytes) -> Iterator[_Entry]:
    try:
        manifest = read_json(text, "The manifest")
    except Problem as problem:
        raise RefusedDocumentsError([problem.detail]) from None
    if not isinstance(manifest, dict):
        raise RefusedDocumentsError(["A manifest is a JSON object."])
    if "format" not in manifest:
        yield from (_Entry(identifier, document) for identifier, document in manifest.items())
        return
    operations = manifest.get("operations")
    if (manifest["format"], manifest.get("version")) != (APOLLO_FORMAT, 1) or not isinstance(operations, list):
        raise RefusedDocumentsError([f"A manifest with a format is version 1 of {APOLLO_FORMAT}, with `operations`."])
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise RefusedDocumentsError(["Each of `operations` is an object."])
        yield _Entry(operation.get("id"), operation.get("body"), operation.get("name"), operation.get("type"))


def _document(entry: _Entry, schema: GraphQLSchema, documents: DocumentCache) -> NewDocument:
    """Validate an entry. Raises RefusedDocumentsError."""
    identifier, text = entry.id, entry.text
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        shown = repr(identifier)[:100]
        raise RefusedDocumentsError([f"{shown}: an identifier is 1 to {MAX_IDENTIFIER} visible ASCII characters."])
    shown = f"{entry.name} ({identifier})" if isinstance(entry.name, str) else identifier
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise RefusedDocumentsError([f"{shown}: its document is not a text of at most {MAX_TEXT:,} characters."])
    digest = identifier.removeprefix(SHA256_PREFIX)
    if (digest != identifier or is_digest(digest)) and digest != digest_of(text):
        raise RefusedDocumentsError([f"{shown}: the identifier is not the SHA-256 of the document."])
    prepared = documents.prepare(text)
    if prepared.errors or prepared.document is None:
        raise RefusedDocumentsError(f"{shown}: {document_problem(error).detail}" for error in prepared.errors)
    operation = _operation(shown, prepared.document)
    name, kind = operation.name.value if operation.name is not None else None, operation.operation.value
    if entry.name not in (None, name) or entry.type not in (None, kind):
        raise RefusedDocumentsError([f"{shown}: its document is the {kind} {name or 'without a name'}."])
    try:
        Bound(schema, {}, prepared.document, operation, {}).check()
    except Problem as problem:
        raise RefusedDocumentsError([f"{shown}: {problem.detail}"]) from None
    return NewDocument(identifier, name, kind, text)


def _operation(shown: str, document: DocumentNode) -> OperationDefinitionNode:
    operations = operations_of(document)
    if len(operations) != 1:
        raise RefusedDocumentsError([f"{shown}: its document has {len(operations)} operations, not one."])
    name = operations[0].name
    if name is not None and len(name.value) > MAX_IDENTIFIER:
        raise RefusedDocumentsError([f"{shown[:100]}: a name has {MAX_IDENTIFIER} characters at most."])
    return operations[0]
