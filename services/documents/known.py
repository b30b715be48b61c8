"""From what a request says of its document to the document: the one rule about which of them are run."""

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
from services.documents.config import Accepted, DocumentsConfig
from services.documents.persisted import PersistedDocuments
from services.documents.registering import digest_of
from services.documents.trusted import Snapshot, TrustedDocuments

SHA256_PREFIX: Final = "sha256:"
"""Of identifiers that are the document's SHA-256 (GraphQL over HTTP, appendix A)."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NOT_FOUND: Final = "PersistedQueryNotFound"
"""The message that Apollo's clients wait for."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a request names its document by: an identifier or, where the text may come along, its hash."""

    identifier: str


@dataclass(frozen=True, slots=True)
class Bringer:
    """Who sends a document: how to find out, and the network address. Only asked about what is new.

    `may_change`: whether the request is one that may have effects; by others, nothing is kept. Nor is it by a dry run.
    """

    authenticate: Callable[[], Awaitable[Actor]]
    address: str
    may_change: bool = True
    dry: bool = False


@dataclass(frozen=True, slots=True)
class KnownDocuments:
    """Finds the documents of requests, and keeps what clients persist."""

    config: DocumentsConfig
    trusted: TrustedDocuments
    persisted: PersistedDocuments

    @property
    def takes_any(self) -> bool:
        """Whether a text that comes without a reference is run as it is."""
        return self.config.accepted is Accepted.ANY

    async def find(
        self, text: str, reference: Reference | None, bringer: Bringer, is_valid: Callable[[str], bool]
    ) -> str:
        """The document to run: the text (empty if none came), or the one that the reference names.

        Only what `is_valid` is kept. Raises `PERSISTED_QUERY_NOT_FOUND`, `document_refused`, `bad_request` for a hash
        that is not the text's; where only persisted documents are run, `unauthenticated` and `too_many_requests` for
        a new one that may not be kept.
        """
        if reference is None:
            return await self._without_reference(text)
        if text:
            return await self._brought(text, reference, bringer, is_valid)
        identifier = reference.identifier
        digest = identifier.removeprefix(SHA256_PREFIX)
        if self.config.accepted is not Accepted.TRUSTED:
            warm = self.persisted.remembered(digest)
            if warm is not None:
                return warm
        trusted = await self.trusted.current()
        found = trusted.by_id.get(identifier) or trusted.by_digest.get(digest)
        if found is not None:
            return found.text
        if self.config.accepted is Accepted.TRUSTED:
            raise _untrusted()
        kept = await self.persisted.find(digest) if is_digest(digest) else None
        if kept is None:
            raise Problem(PERSISTED_QUERY_NOT_FOUND, _NOT_FOUND)
        return kept

    async def digest(self, text: str, reference: Reference | None) -> str:
        """The SHA-256 of the document that is meant, whether it is known yet or not; of an unknown one whose
        identifier is none, that.
        """
        if text or reference is None:
            return digest_of(text)
        found = None
        with suppress(Problem):  # nothing is found while the database is gone
            found = (await self.trusted.current()).by_id.get(reference.identifier)
        return digest_of(found.text) if found is not None else reference.identifier.removeprefix(SHA256_PREFIX)

    async def _without_reference(self, text: str) -> str:
        if self.takes_any or text in (await self.trusted.current()).texts:
            return text
        if self.config.accepted is Accepted.TRUSTED:
            raise _untrusted()
        raise Problem(DOCUMENT_REFUSED, "Name the document by its SHA-256 hash, or by its identifier.")

    async def _brought(self, text: str, reference: Reference, bringer: Bringer, is_valid: Callable[[str], bool]) -> str:
        """A text that comes with its hash."""
        digest = digest_of(text)
        if reference.identifier.removeprefix(SHA256_PREFIX) != digest:
            # A manifest may have identifiers that are no hashes, and Apollo's link sends them as such.
            named = (await self.trusted.current()).by_id.get(reference.identifier)
            if named is None or named.text != text:
                raise Problem(BAD_REQUEST, "The hash is not the SHA-256 of `query`.")
            return text
        if self.config.accepted is not Accepted.TRUSTED and self.persisted.remembered(digest) is not None:
            return text
        trusted: Snapshot = await self.trusted.current()
        if text in trusted.texts:
            return text
        if self.config.accepted is Accepted.TRUSTED:
            raise _untrusted()
        if await self.persisted.find(digest) is None and is_valid(text):
            if bringer.may_change:
                await self._keep(digest, text, bringer)
            elif not self.takes_any:  # whoever signs in by a header field may have effects
                raise _unknown_to_strangers()
        return text

    async def _keep(self, digest: str, text: str, bringer: Bringer) -> None:
        """Keep a new document; where any is run, one that may not be kept is run all the same."""
        if not self.persisted.fits(text):
            if not self.takes_any:
                raise Problem(DOCUMENT_REFUSED, f"A document may have {self.config.document_bytes:,} bytes at most.")
            return
        try:
            actor = await bringer.authenticate()
        except Problem:
            if not self.takes_any:
                raise
            actor = ANONYMOUS  # what is open to everybody is open to whoever has an expired token, too
        if actor.is_anonymous and not self.takes_any:
            raise _unknown_to_strangers()
        if bringer.dry:
            return
        try:
            await self.persisted.keep(digest, text, actor, bringer.address)
        except Problem as problem:
            if problem.type is not TOO_MANY_REQUESTS or not self.takes_any:
                raise


def is_digest(text: str) -> bool:
    """Whether it has the form of a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def _unknown_to_strangers() -> Problem:
    return Problem(UNAUTHENTICATED, "Only documents that are known already are run for everybody. Sign in.")


def _untrusted() -> Problem:
    return Problem(DOCUMENT_REFUSED, "Only documents that the operator has registered are run here.")
