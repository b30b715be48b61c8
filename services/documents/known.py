"""Resolution of a request's document, and the rules about which documents are executed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from services.catalogue import ANONYMOUS, Actor, Problem
from services.catalogue.problems import (
    BAD_REQUEST,
    DOCUMENT_REFUSED,
    PERSISTED_QUERY_NOT_FOUND,
    TOO_MANY_REQUESTS,
    UNAUTHENTICATED,
)
from services.documents.config import AcceptedDocuments, DocumentsConfig
from services.documents.persisted import PersistedDocuments
from services.documents.registering import digest_of
from services.documents.trusted import TrustedDocuments

SHA256_PREFIX: Final = "sha256:"
"""Prefix of identifiers that are the document's SHA-256 (GraphQL over HTTP, appendix A)."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NOT_FOUND: Final = "PersistedQueryNotFound"
"""The message that Apollo's clients expect."""


@dataclass(frozen=True, slots=True)
class DocumentSender:
    """The sender of a document, who is authenticated only if the document is new, and the network address.

    Without `may_change` the request may have no effects, so the document is not persisted; nor is it by a dry run.
    """

    authenticate: Callable[[], Awaitable[Actor]]
    address: str
    may_change: bool = True
    dry: bool = False


@dataclass(frozen=True, slots=True)
class DocumentResolver:
    """Finds the documents of requests, and persists those that clients send."""

    config: DocumentsConfig
    trusted: TrustedDocuments
    persisted: PersistedDocuments

    @property
    def takes_any(self) -> bool:
        """Whether a text without a reference is executed."""
        return self.config.accepted is AcceptedDocuments.ANY

    async def find(
        self, text: str, reference: str | None, bringer: DocumentSender, is_valid: Callable[[str], bool]
    ) -> str:
        """Return the document to execute: `text`, or, if that is empty, the document that the reference names.

        The reference is an identifier or, if the text may be sent along, its hash.
        Only documents that satisfy `is_valid` are persisted. Raise `PERSISTED_QUERY_NOT_FOUND`, `document_refused`, and
        `bad_request` for a hash that is not the text's. If only persisted documents are accepted, also raise
        `unauthenticated` and `too_many_requests` for a new one that may not be persisted.
        """
        if reference is None:
            return await self._without_reference(text)
        if text:
            return await self._with_hash(text, reference, bringer, is_valid)
        digest = reference.removeprefix(SHA256_PREFIX)
        if self.config.accepted is not AcceptedDocuments.TRUSTED:
            remembered = self.persisted.remembered(digest)
            if remembered is not None:
                return remembered
        snapshot = await self.trusted.current()
        document = snapshot.by_id.get(reference) or snapshot.by_digest.get(digest)
        if document is not None:
            return document
        if self.config.accepted is AcceptedDocuments.TRUSTED:
            raise _untrusted()
        persisted = await self.persisted.find(digest) if is_digest(digest) else None
        if persisted is None:
            raise Problem(PERSISTED_QUERY_NOT_FOUND, _NOT_FOUND)
        return persisted

    async def digest(self, text: str, reference: str | None) -> str:
        """Return the SHA-256 of the document, known or not; the identifier of an unknown document as it is."""
        if text or reference is None:
            return digest_of(text)
        document = None
        with suppress(Problem):  # raised while the database is unavailable
            document = (await self.trusted.current()).by_id.get(reference)
        return digest_of(document) if document is not None else reference.removeprefix(SHA256_PREFIX)

    async def _without_reference(self, text: str) -> str:
        if self.takes_any or text in (await self.trusted.current()).texts:
            return text
        if self.config.accepted is AcceptedDocuments.TRUSTED:
            raise _untrusted()
        raise Problem(DOCUMENT_REFUSED, "Name the document by its SHA-256 hash, or by its identifier.")

    async def _with_hash(
        self, text: str, reference: str, bringer: DocumentSender, is_valid: Callable[[str], bool]
    ) -> str:
        digest = digest_of(text)
        if reference.removeprefix(SHA256_PREFIX) != digest:
            # Identifiers of a manifest need not be hashes, and Apollo's link sends them in the place of the hash.
            if (await self.trusted.current()).by_id.get(reference) != text:
                raise Problem(BAD_REQUEST, "The hash is not the SHA-256 of `query`.")
            return text
        if self.config.accepted is not AcceptedDocuments.TRUSTED and self.persisted.remembered(digest) is not None:
            return text
        if text in (await self.trusted.current()).texts:
            return text
        if self.config.accepted is AcceptedDocuments.TRUSTED:
            raise _untrusted()
        if await self.persisted.find(digest) is None and is_valid(text):
            if bringer.may_change:
                await self._persist(digest, text, bringer)
            elif not self.takes_any:  # a request with credentials in a header field may have effects
                raise _sign_in_to_persist()
        return text

    async def _persist(self, digest: str, text: str, bringer: DocumentSender) -> None:
        """Persist a new document. If any document is accepted, one that may not be persisted is no error."""
        if not self.persisted.fits(text):
            if not self.takes_any:
                raise Problem(DOCUMENT_REFUSED, f"A document may have {self.config.document_bytes:,} bytes at most.")
            return
        try:
            actor = await bringer.authenticate()
        except Problem:
            if not self.takes_any:
                raise
            actor = ANONYMOUS  # an expired token grants no less than no token
        if actor.is_anonymous and not self.takes_any:
            raise _sign_in_to_persist()
        if bringer.dry:
            return
        try:
            await self.persisted.keep(digest, text, actor, bringer.address)
        except Problem as problem:
            if problem.type is not TOO_MANY_REQUESTS or not self.takes_any:
                raise


def is_digest(text: str) -> bool:
    """Return whether a text has the form of a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def _sign_in_to_persist() -> Problem:
    return Problem(UNAUTHENTICATED, "Only documents that are known already are run for everybody. Sign in.")


def _untrusted() -> Problem:
    return Problem(DOCUMENT_REFUSED, "Only documents that the operator has registered are run here.")
