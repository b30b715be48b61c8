"""A worker's copy of all trusted documents, in memory and less than a second old.

The copy is refreshed on demand: a request that needs it reads the version from PostgreSQL, and the documents if that
has changed. Under load the refresh runs in the background, so that no request waits for it. Redis is not involved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog
from sqlalchemy import select  # noqa: TID251 - documents are the operator's, and have no policy

from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE
from services.documents.models import DocumentsVersion, TrustedDocument
from services.identity.auth.revocations import stop
from services.storage.database import Database

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 0.4
"""Age up to which the copy is used without a refresh."""
TRUSTED_SECONDS: Final = 0.9
"""Age up to which the copy is used during a refresh."""
WITHOUT_DATABASE_SECONDS: Final = 30.0
"""Age up to which the copy is used while PostgreSQL does not answer; equal to that of sessions."""
_WAIT_SECONDS: Final = 1.0
NEVER_CHANGED: Final = 0
"""The version before the first registration."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The texts of all trusted documents of a version. `published` maps names to those of the published ones."""

    version: int = -1
    by_id: Mapping[str, str] = field(default_factory=dict)
    by_digest: Mapping[str, str] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class TrustedDocuments:
    database: Database
    _snapshot: Snapshot = field(init=False, default_factory=Snapshot)
    _refreshed_at: float = field(init=False, default=float("-inf"))
    _pause_until: float = field(init=False, default=0.0)
    _refreshing: asyncio.Task[None] | None = field(init=False, default=None)

    async def current(self) -> Snapshot:
        """Return the documents as they were less than a second ago.

        Raise `unavailable` if PostgreSQL has not answered for `WITHOUT_DATABASE_SECONDS`.
        """
        age = monotonic() - self._refreshed_at
        if age < FRESH_SECONDS:
            return self._snapshot
        if self._refreshing is None and monotonic() >= self._pause_until:
            # In an empty context: the statement does not count for the request that happens to start it.
            self._refreshing = asyncio.create_task(self._try_refresh(), name="trusted documents", context=Context())
        if age < TRUSTED_SECONDS:
            return self._snapshot
        if self._refreshing is not None:
            hopeless = age >= WITHOUT_DATABASE_SECONDS
            await asyncio.wait({self._refreshing}, timeout=None if hopeless else _WAIT_SECONDS)
        if monotonic() - self._refreshed_at >= WITHOUT_DATABASE_SECONDS:
            raise Problem(UNAVAILABLE)
        return self._snapshot

    async def close(self) -> None:
        """Cancel a refresh in progress."""
        if self._refreshing is not None:
            await stop([self._refreshing])

    async def _try_refresh(self) -> None:
        now = monotonic()
        try:
            await self._refresh()
            self._refreshed_at = now
        except Exception as error:  # noqa: BLE001 - whatever the error, the copy is used a little longer
            self._pause_until = monotonic() + _WAIT_SECONDS
            log.warning("trusted_documents_unknown", error=type(error).__name__)
        finally:
            self._refreshing = None

    async def _refresh(self) -> None:
        async with self.database.reading() as session:
            number = await session.scalar(select(DocumentsVersion.number))
            if (NEVER_CHANGED if number is None else number) == self._snapshot.version:
                return
            # One statement, so that the version is that of the documents.
            statement = select(DocumentsVersion.number, TrustedDocument).join_from(
                DocumentsVersion, TrustedDocument, DocumentsVersion.id.is_not(None), isouter=True
            )
            rows = (await session.execute(statement)).all()
        documents: list[TrustedDocument] = [row.TrustedDocument for row in rows if row.TrustedDocument is not None]
        self._snapshot = Snapshot(
            rows[0].number if rows else NEVER_CHANGED,
            {document.id: document.text for document in documents},
            {document.digest: document.text for document in documents},
            frozenset(document.text for document in documents),
            {document.name: document.text for document in documents if document.published and document.name},
        )
