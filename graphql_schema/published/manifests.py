"""Reads the manifests of documents that client tools write, and validates them against the schema.

Relay's compiler writes `{"<identifier>": "<document>"}`, Apollo's tools write version 1 of
`apollo-persisted-query-manifest`. In both an entry is one operation with the fragments that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import GraphQLSchema

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


def read_manifest(text: bytes, schema: GraphQLSchema, documents: DocumentCache) -> list[NewDocument]:
    """Return the documents of a manifest. Raises RefusedDocumentsError with one sentence for each error."""
    errors: list[str] = []
    by_id: dict[str, NewDocument] = {}
    for entry in _entries(text):
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


def _entries(text: bytes) -> Iterable[Mapping[str, Any]]:
    """Return the entries of a manifest as Apollo writes them. Those of Relay's format have no name and no type."""
    try:
        manifest = read_json(text, "The manifest")
    except Problem as problem:
        raise RefusedDocumentsError([problem.detail]) from None
    if not isinstance(manifest, dict):
        raise RefusedDocumentsError(["A manifest is a JSON object."])
    if "format" not in manifest:
        return [{"id": identifier, "body": document} for identifier, document in manifest.items()]
    operations = manifest.get("operations")
    if (manifest["format"], manifest.get("version")) != (APOLLO_FORMAT, 1) or not isinstance(operations, list):
        raise RefusedDocumentsError([f"A manifest with a format is version 1 of {APOLLO_FORMAT}, with `operations`."])
    if not all(isinstance(operation, Mapping) for operation in operations):
        raise RefusedDocumentsError(["Each of `operations` is an object."])
    return operations


def _document(entry: Mapping[str, Any], schema: GraphQLSchema, documents: DocumentCache) -> NewDocument:
    """Validate an entry. Raises RefusedDocumentsError."""
    identifier, text, given_name = entry.get("id"), entry.get("body"), entry.get("name")
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        shown = repr(identifier)[:100]
        raise RefusedDocumentsError([f"{shown}: an identifier is 1 to {MAX_IDENTIFIER} visible ASCII characters."])
    shown = f"{given_name} ({identifier})" if isinstance(given_name, str) else identifier
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise RefusedDocumentsError([f"{shown}: its document is not a text of at most {MAX_TEXT:,} characters."])
    digest = identifier.removeprefix(SHA256_PREFIX)
    if (digest != identifier or is_digest(digest)) and digest != digest_of(text):
        raise RefusedDocumentsError([f"{shown}: the identifier is not the SHA-256 of the document."])
    prepared = documents.prepare(text)
    if prepared.errors or prepared.document is None:
        raise RefusedDocumentsError(f"{shown}: {document_problem(error).detail}" for error in prepared.errors)
    operation, *others = operations_of(prepared.document)
    if others:
        raise RefusedDocumentsError([f"{shown}: its document has {len(others) + 1} operations, not one."])
    name, kind = operation.name.value if operation.name is not None else None, operation.operation.value
    if name is not None and len(name) > MAX_IDENTIFIER:
        raise RefusedDocumentsError([f"{shown[:100]}: a name has {MAX_IDENTIFIER} characters at most."])
    if given_name not in (None, name) or entry.get("type") not in (None, kind):
        raise RefusedDocumentsError([f"{shown}: its document is the {kind} {name or 'without a name'}."])
    try:
        Bound(schema, {}, prepared.document, operation, {}).check()
    except Problem as problem:
        raise RefusedDocumentsError([f"{shown}: {problem.detail}"]) from None
    return NewDocument(identifier, name, kind, text)
