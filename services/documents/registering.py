"""Registering trusted documents: all of a manifest or nothing, one change after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import select  # noqa: TID251 - the operator's, whom no policy is about
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.documents.models import DocumentsVersion, TrustedDocument
from services.storage.database import Database


class RefusedDocumentsError(Exception):
    """Nothing was changed; `sentences` say why."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("\n".join(self.sentences))


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A valid document of a manifest. `name` is that of its operation, `kind` query or mutation."""

    id: str
    name: str | None
    kind: str
    text: str

    @property
    def shown(self) -> str:
        """What a person recognises it by."""
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(frozen=True, slots=True)
class Added:
    """What an addition has changed: the documents that were not known yet, and the names now published."""

    documents: Sequence[NewDocument] = ()
    published: Sequence[str] = ()


def digest_of(text: str) -> str:
    """The SHA-256 of a document's text in lower-case hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


async def add_documents(
    database: Database, documents: Sequence[NewDocument], publish: Collection[str] = (), *, beside: bool = False
) -> Added:
    """Register documents, and publish those of them that are named in `publish`; what is there already stays.

    With `beside` a name may be taken by another text already: clients of yesterday send yesterday's. Raises
    RefusedDocumentsError for an identifier or a name that is taken, and for a name to publish that is none of theirs.
    """
    async with _changing(database) as session:
        known = (await session.scalars(select(TrustedDocument))).all()
        faults = [*_faults(documents, known, beside=beside), *_unknown(documents, publish)]
        if faults:
            raise RefusedDocumentsError(faults)
        identifiers = {each.id for each in known}
        new = {each.id: each for each in documents if each.id not in identifiers}
        session.add_all(
            TrustedDocument(
                id=each.id, digest=digest_of(each.text), name=each.name, kind=each.kind, text=each.text,
                published=False,
            )
            for each in new.values()
        )  # fmt: skip
        await session.flush()
        wanted = {each.id for each in documents if each.name in publish}
        return Added(list(new.values()), await _publish(session, wanted))


async def publish_document(database: Database, given: str) -> Sequence[str]:
    """Give a document its address, by its identifier or its name; another version that had the address loses it.

    Returns its name if it was not published before. Raises RefusedDocumentsError when that names no document, or
    several.
    """
    async with _changing(database) as session:
        found = await _named(session, given)
        if len(found) > 1:
            identifiers = ", ".join(sorted(each.id for each in found))
            raise RefusedDocumentsError([f"{given} is the name of several documents: say which of {identifiers}."])
        return await _publish(session, {found[0].id})


async def unpublish_document(database: Database, given: str) -> Sequence[str]:
    """Take the address away from a document; returns its name if it had one. Raises as `publish_document`."""
    async with _changing(database) as session:
        found = [each for each in await _named(session, given) if each.published]
        for each in found:
            each.published = False
        return [each.name for each in found if each.name]


async def remove_documents(database: Database, given: Sequence[str]) -> Sequence[str]:
    """Forget documents by their identifiers, or all of a name; returns the identifiers.

    Raises RefusedDocumentsError, with nothing removed, when one of them names none.
    """
    async with _changing(database) as session:
        found: dict[str, TrustedDocument] = {}
        faults: list[str] = []
        for each in given:
            try:
                found |= {document.id: document for document in await _named(session, each)}
            except RefusedDocumentsError as refused:
                faults += refused.sentences
        if faults:
            raise RefusedDocumentsError(faults)
        for document in found.values():
            await session.delete(document)
        return sorted(found)


async def list_documents(database: Database) -> Sequence[TrustedDocument]:
    """All of them, by their names."""
    async with database.reading() as session:
        found = select(TrustedDocument).order_by(TrustedDocument.name, TrustedDocument.created_at, TrustedDocument.id)
        return (await session.scalars(found)).all()


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[AsyncSession]:
    """A transaction during which nobody else changes documents, committed at the end; workers see the new number."""
    async with database.unit_of_work() as session:
        first = insert(DocumentsVersion).values(id=1, number=1)
        number = {"number": DocumentsVersion.number + 1}
        await session.execute(first.on_conflict_do_update(index_elements=["id"], set_=number))
        yield session
        await session.commit()


async def _publish(session: AsyncSession, identifiers: Collection[str]) -> list[str]:
    """Publish these documents; returns the names of those that were not."""
    found = select(TrustedDocument).where(TrustedDocument.id.in_(identifiers))
    wanted = [each for each in (await session.scalars(found)).all() if not each.published]
    names = [each.name for each in wanted if each.name]
    former = select(TrustedDocument).where(TrustedDocument.published, TrustedDocument.name.in_(names))
    for each in (await session.scalars(former)).all():
        each.published = False
    await session.flush()  # before: one version of a name has the address
    for each in wanted:
        each.published = True
    return names


async def _named(session: AsyncSession, given: str) -> Sequence[TrustedDocument]:
    found = await session.get(TrustedDocument, given)
    if found is not None:
        return [found]
    named = (await session.scalars(select(TrustedDocument).where(TrustedDocument.name == given))).all()
    if not named:
        raise RefusedDocumentsError([f"There is no document {given}."])
    return named


def _faults(documents: Sequence[NewDocument], known: Iterable[TrustedDocument], *, beside: bool) -> Iterable[str]:
    texts = {each.id: each.text for each in known}
    names: dict[str, set[str]] = {}
    for each in known:
        if each.name and not beside:
            names.setdefault(each.name, set()).add(each.text)
    for new in documents:
        if texts.setdefault(new.id, new.text) != new.text:
            yield f"{new.shown}: the identifier is that of another text already."
        if new.name and new.text not in names.setdefault(new.name, {new.text}):
            yield f"{new.shown}: the name is that of another text already; --beside keeps both."


def _unknown(documents: Sequence[NewDocument], publish: Collection[str]) -> Iterable[str]:
    for name in publish:
        texts = {each.text for each in documents if each.name == name}
        if not texts:
            yield f"{name}: there is no document of this name to publish."
        elif len(texts) > 1:
            yield f"{name}: several documents of this name cannot all be published."
