"""How a request names its document instead of sending it, or beside it.

By Apollo's `extensions.persistedQuery` (a SHA-256 hash, with which the text may come), or by an identifier: the
`documentId` of GraphQL over HTTP's appendix A, or what Relay's networks send, `doc_id` or `id`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from graphql_schema.documents.parsing import Documents
from graphql_schema.documents.requests import GraphQLRequest, Origin
from services.catalogue import Actor, Problem
from services.catalogue.problems import BAD_REQUEST, PERSISTED_QUERY_NOT_SUPPORTED
from services.documents.known import Bringer, KnownDocuments, Reference
from services.identity.auth.authentication import Authenticator
from services.process.concurrency import Concurrency

DOCUMENT_ID: Final = "documentId"
NAMES: Final = (DOCUMENT_ID, "doc_id", "id")
EXTENSIONS: Final = "extensions"
_MEMBERS: Final = frozenset({EXTENSIONS, *NAMES})
LONGEST: Final = 300
"""Characters of an identifier that is worth looking for."""
_NOT_SUPPORTED: Final = "PersistedQueryNotSupported"
"""The message that Apollo's clients wait for."""


def slot_of(origin: Origin, actor: Actor) -> AbstractContextManager[None]:
    """A request's place among those of one caller; entering it may raise `too_many_requests`."""
    return origin.gateway.part(Concurrency).slot(actor, origin.address)


def names_a_document(parameters: Container[str]) -> bool:
    """Whether the parameters of a query string name a document, be its text beside it or not."""
    return any(name in parameters for name in _MEMBERS)


def reference_of(found: Mapping[str, Any]) -> Reference | None:
    """What the parameters of a request name its document by, if anything; `extensions` is an object, if it is there.

    Raises `bad_request` for what cannot be one, `PERSISTED_QUERY_NOT_SUPPORTED` for a version that is not 1.
    """
    if _MEMBERS.isdisjoint(found):  # as of nearly every request
        return None
    extensions = found.get(EXTENSIONS)
    reference = None
    if extensions is not None and extensions.get("persistedQuery") is not None:
        reference = _persisted_query(extensions["persistedQuery"])
    has_text = found.get("query") not in (None, "")
    for name in NAMES:
        if name in found and found[name] is not None:
            # Whoever sends a text may have an `id` of their own beside it; `documentId` is the standard's word.
            if not has_text:
                return reference or _identifier(name, found[name])
            if name == DOCUMENT_ID:
                raise Problem(BAD_REQUEST, "Send `query` or `documentId`, not both.")
    return reference


def _persisted_query(given: Any) -> Reference:
    if not isinstance(given, dict):
        raise Problem(BAD_REQUEST, "`extensions.persistedQuery` must be an object.")
    version = given.get("version")
    if version != 1 or isinstance(version, bool):
        raise Problem(PERSISTED_QUERY_NOT_SUPPORTED, _NOT_SUPPORTED)
    return _identifier("extensions.persistedQuery.sha256Hash", given.get("sha256Hash"))


def _identifier(name: str, given: Any) -> Reference:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST:
        raise Problem(BAD_REQUEST, f"`{name}` must be a string of at most {LONGEST} characters.")
    return Reference(given)


async def found_document(asking: Origin, asked: GraphQLRequest, documents: Documents) -> None:
    """Put the text of the document that is meant into the request. Raises as `KnownDocuments.find`.

    To be called before anything else looks at the request's document, whatever transport it came by.
    """
    known = asking.gateway.part(KnownDocuments)
    if asked.reference is None and known.takes_any:
        return

    async def authenticate() -> Actor:
        return await asking.gateway.part(Authenticator).actor(asking.presented)

    def is_valid(text: str) -> bool:
        prepared = documents.prepare(text)
        return prepared.document is not None and not prepared.structure and not prepared.values

    may_change = asking.is_post or asking.is_preflighted
    bringer = Bringer(authenticate, asking.presented.address, may_change, asked.dry)
    asked.query = await known.find(asked.query, asked.reference, bringer, is_valid)
