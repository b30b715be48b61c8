"""Reads the reference to a document that a request sends instead of the document's text, or beside it.

A reference is Apollo's `extensions.persistedQuery` (a SHA-256 hash, which the text may accompany), the `documentId` of
GraphQL over HTTP's appendix A, or what Relay's network layers send, `doc_id` or `id`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.documents.requests import GraphQLRequest, RequestContext
from services.catalogue import Actor, Problem
from services.catalogue.problems import BAD_REQUEST, PERSISTED_QUERY_NOT_SUPPORTED
from services.documents.known import DocumentResolver, DocumentSender
from services.identity.auth.authentication import Authenticator

DOCUMENT_ID: Final = "documentId"
NAMES: Final = (DOCUMENT_ID, "doc_id", "id")
EXTENSIONS: Final = "extensions"
_MEMBERS: Final = frozenset({EXTENSIONS, *NAMES})
LONGEST: Final = 300
"""The longest identifier, in characters."""
_NOT_SUPPORTED: Final = "PersistedQueryNotSupported"
"""The message that Apollo's clients test for."""


def has_reference(parameters: Container[str]) -> bool:
    """Whether the parameters of a query string may name a document."""
    return any(name in parameters for name in _MEMBERS)


def parse_reference(parameters: Mapping[str, Any]) -> str | None:
    """Return the reference to a document in a request's parameters, if any. `extensions` must be an object or null.

    Raises `bad_request` for a malformed reference, `PERSISTED_QUERY_NOT_SUPPORTED` for a version other than 1.
    """
    if _MEMBERS.isdisjoint(parameters):
        return None
    extensions = parameters.get(EXTENSIONS)
    reference = None
    if extensions is not None and extensions.get("persistedQuery") is not None:
        reference = _persisted_query(extensions["persistedQuery"])
    has_text = parameters.get("query") not in (None, "")
    for name in NAMES:
        if parameters.get(name) is not None:
            if not has_text:
                return reference or _identifier(name, parameters[name])
            # Clients may send an `id` of their own beside a text; `documentId` is reserved by the specification.
            if name == DOCUMENT_ID:
                raise Problem(BAD_REQUEST, "Send `query` or `documentId`, not both.")
    return reference


def _persisted_query(extension: Any) -> str:
    if not isinstance(extension, dict):
        raise Problem(BAD_REQUEST, "`extensions.persistedQuery` must be an object.")
    version = extension.get("version")
    if version != 1 or isinstance(version, bool):
        raise Problem(PERSISTED_QUERY_NOT_SUPPORTED, _NOT_SUPPORTED)
    return _identifier("extensions.persistedQuery.sha256Hash", extension.get("sha256Hash"))


def _identifier(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise Problem(BAD_REQUEST, f"`{name}` must be a string of at most {LONGEST} characters.")
    return value


async def resolve_document(origin: RequestContext, request: GraphQLRequest, documents: DocumentCache) -> None:
    """Replace a request's reference to a document by the document's text. Raises as `DocumentResolver.find`.

    Every transport must call it before anything else reads `request.query`.
    """
    known = origin.gateway.part(DocumentResolver)
    if request.reference is None and known.takes_any:
        return

    async def authenticate() -> Actor:
        return await origin.gateway.part(Authenticator).actor(origin.presented)

    may_change = origin.is_post or origin.is_preflighted
    bringer = DocumentSender(authenticate, origin.presented.address, may_change, request.dry)
    request.query = await known.find(
        request.query, request.reference, bringer, lambda text: not documents.prepare(text).errors
    )
