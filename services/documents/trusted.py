"""Trusted documents as a worker knows them: all of them in memory, not older than a second.

Nothing is asked as long as nobody needs to know. Who does asks PostgreSQL for one number, and for the documents when
it has changed; under load that happens beside the requests, so that none of them waits for it. Redis takes no part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog
from sqlalchemy import select  # noqa: TID251 - the operator's, whom no policy is about

from services.catalogue import Problem
from services.catalogue.problems import UNAVAILABLE
from services.documents.models import DocumentsVersion, TrustedDocument
from services.identity.auth.revocations import stop
from services.storage.database import Database

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 0.4
"""For so long what is known is taken as it is."""
TRUSTED_SECONDS: Final = 0.9
"""For so long it is used while it is asked again."""
WITHOUT_DATABASE_SECONDS: Final = 30.0
"""For so long it is used while PostgreSQL does not answer: as long as what is remembered of sessions."""
_PATIENCE: Final = 1.0
NEVER_CHANGED: Final = 0
"""The version as long as nothing was ever registered."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """A document that the operator has registered. `kind` is query or mutation; `name` is its operation's."""

    id: str
    digest: str
    name: str | None
    kind: str
    text: str
    published: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All trusted documents at a moment. `texts` are theirs, `published` those with an address, by their names."""

    version: int = -1
    by_id: Mapping[str, Trusted] = field(default_factory=dict)
    by_digest: Mapping[str, Trusted] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    published: Mapping[str, Trusted] = field(default_factory=dict)

    @classmethod
    def of(cls, version: int, documents: Iterable[Trusted]) -> Snapshot:
        """These documents, found by whatever names them."""
        by_id = {each.id: each for each in documents}
        return cls(
            version, by_id, {each.digest: each for each in by_id.values()},
            frozenset(each.text for each in by_id.values()),
            {each.name: each for each in by_id.values() if each.published and each.name},
        )  # fmt: skip


@dataclass(slots=True)
class TrustedDocuments:
    """What a worker knows of the trusted documents."""

    database: Database
    _known: Snapshot = field(init=False, default_factory=Snapshot)
    _asked: float = field(init=False, default=float("-inf"))
    _pause_until: float = field(init=False, default=0.0)
    _asking: asyncio.Task[None] | None = field(init=False, default=None)

    async def current(self) -> Snapshot:
        """The documents as they were less than a second ago.

        Raises `unavailable` when PostgreSQL has not answered for too long.
        """
        age = monotonic() - self._asked
        if age < FRESH_SECONDS:
            return self._known
        if self._asking is None and monotonic() >= self._pause_until:
            # In a context of its own: the statement is nobody's who happens to be served.
            self._asking = asyncio.create_task(self._ask(), name="trusted documents", context=Context())
        if age < TRUSTED_SECONDS:
            return self._known
        if self._asking is not None:
            hopeless = age >= WITHOUT_DATABASE_SECONDS
            await asyncio.wait({self._asking}, timeout=None if hopeless else _PATIENCE)
        if monotonic() - self._asked >= WITHOUT_DATABASE_SECONDS:
            raise Problem(UNAVAILABLE)
        return self._known

    async def close(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            await stop([self._asking])

    async def _ask(self) -> None:
        now = monotonic()
        try:
            await self._refresh()
            self._asked = now
        except Exception as error:  # noqa: BLE001 - whatever it is, what is known is used a little longer
            self._pause_until = monotonic() + _PATIENCE
            log.warning("trusted_documents_unknown", error=type(error).__name__)
        finally:
            self._asking = None

    async def _refresh(self) -> None:
        async with self.database.reading() as session:
            number = await session.scalar(select(DocumentsVersion.number))
            if (NEVER_CHANGED if number is None else number) == self._known.version:
                return
            # In one statement: the number is that of these documents, and of no others.
            columns = [getattr(TrustedDocument, name) for name in Trusted.__slots__]
            found = select(DocumentsVersion.number, *columns).join_from(
                DocumentsVersion, TrustedDocument, DocumentsVersion.id.is_not(None), isouter=True
            )
            rows = (await session.execute(found)).all()
        documents = [Trusted(*each[1:]) for each in rows if each[1] is not None]
        self._known = Snapshot.of(rows[0][0] if rows else NEVER_CHANGED, documents)
