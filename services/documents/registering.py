"""Registration of trusted documents. Changes are atomic and serialised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import select  # noqa: TID251 - documents are the operator's, and have no policy
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.documents.models import DocumentsVersion, TrustedDocument
from services.storage.database import Database


class RefusedDocumentsError(Exception):
    """A change was refused as a whole; `sentences` are the reasons."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("\n".join(self.sentences))


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A valid document of a manifest. `name` is that of its operation; `kind` is query or mutation."""

    id: str
    name: str | None
    kind: str
    text: str

    @property
    def shown(self) -> str:
        """The document's name for people."""
        return f"{self.name} ({self.id})" if self.name else self.id


def digest_of(text: str) -> str:
    """Return the SHA-256 of a document's text in lower-case hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


async def add_documents(
    database: Database, documents: Sequence[NewDocument], publish: Collection[str] = (), *, beside: bool = False
) -> tuple[Sequence[NewDocument], Sequence[str]]:
    """Register documents, and publish those named in `publish`. Documents that exist already are kept.

    Return the new documents, and the newly published names. With `beside`, a name may belong to another text already,
    which clients of an earlier version send. Raise RefusedDocumentsError for an identifier or a name that is taken, and
    for an unknown name in `publish`.
    """
    async with _changing(database) as session:
        known = (await session.scalars(select(TrustedDocument))).all()
        faults = [*_conflicts(documents, known, beside=beside), *_unpublishable(documents, publish)]
        if faults:
            raise RefusedDocumentsError(faults)
        identifiers = {document.id for document in known}
        new = {document.id: document for document in documents if document.id not in identifiers}
        session.add_all(
            TrustedDocument(
                id=document.id, digest=digest_of(document.text), name=document.name, kind=document.kind,
                text=document.text, published=False,
            )
            for document in new.values()
        )  # fmt: skip
        await session.flush()
        to_publish = {document.id for document in documents if document.name in publish}
        return list(new.values()), await _publish(session, to_publish)


async def publish_document(database: Database, reference: str) -> Sequence[str]:
    """Publish a document, given by its identifier or name; another version published under the name is unpublished.

    Return its name if it was not published before. Raise RefusedDocumentsError if the reference matches no document,
    or several.
    """
    async with _changing(database) as session:
        documents = await _matching(session, reference)
        if len(documents) > 1:
            identifiers = ", ".join(sorted(document.id for document in documents))
            raise RefusedDocumentsError([f"{reference} is the name of several documents: say which of {identifiers}."])
        return await _publish(session, {documents[0].id})


async def unpublish_document(database: Database, reference: str) -> Sequence[str]:
    """Unpublish a document. Return its name if it was published. Raise RefusedDocumentsError for an unknown one."""
    async with _changing(database) as session:
        published = [document for document in await _matching(session, reference) if document.published]
        for document in published:
            document.published = False
        return [document.name for document in published if document.name]


async def remove_documents(database: Database, references: Sequence[str]) -> Sequence[str]:
    """Delete documents by their identifiers, or all of a name. Return the identifiers.

    Raise RefusedDocumentsError, with nothing deleted, if a reference matches no document.
    """
    async with _changing(database) as session:
        documents: dict[str, TrustedDocument] = {}
        faults: list[str] = []
        for reference in references:
            try:
                documents |= {document.id: document for document in await _matching(session, reference)}
            except RefusedDocumentsError as refused:
                faults += refused.sentences
        if faults:
            raise RefusedDocumentsError(faults)
        for document in documents.values():
            await session.delete(document)
        return sorted(documents)


async def list_documents(database: Database) -> Sequence[TrustedDocument]:
    by_name = select(TrustedDocument).order_by(TrustedDocument.name, TrustedDocument.created_at, TrustedDocument.id)
    async with database.reading() as session:
        return (await session.scalars(by_name)).all()


@asynccontextmanager
async def _changing(database: Database) -> AsyncIterator[AsyncSession]:
    """Open a transaction that excludes other changes of documents, increments their version, and commits at the end."""
    async with database.unit_of_work() as session:
        first = insert(DocumentsVersion).values(id=1, number=1)
        incremented = {"number": DocumentsVersion.number + 1}
        await session.execute(first.on_conflict_do_update(index_elements=["id"], set_=incremented))
        yield session
        await session.commit()


async def _publish(session: AsyncSession, identifiers: Collection[str]) -> list[str]:
    """Publish these documents. Return the names of those that were not published before."""
    selected = select(TrustedDocument).where(TrustedDocument.id.in_(identifiers))
    unpublished = [document for document in (await session.scalars(selected)).all() if not document.published]
    names = [document.name for document in unpublished if document.name]
    superseded = select(TrustedDocument).where(TrustedDocument.published, TrustedDocument.name.in_(names))
    for document in (await session.scalars(superseded)).all():
        document.published = False
    await session.flush()  # first, since the names of published documents are unique
    for document in unpublished:
        document.published = True
    return names


async def _matching(session: AsyncSession, reference: str) -> Sequence[TrustedDocument]:
    document = await session.get(TrustedDocument, reference)
    if document is not None:
        return [document]
    named = (await session.scalars(select(TrustedDocument).where(TrustedDocument.name == reference))).all()
    if not named:
        raise RefusedDocumentsError([f"There is no document {reference}."])
    return named


def _conflicts(documents: Sequence[NewDocument], known: Iterable[TrustedDocument], *, beside: bool) -> Iterable[str]:
    texts = {document.id: document.text for document in known}
    names: dict[str, set[str]] = {}
    for document in known:
        if document.name and not beside:
            names.setdefault(document.name, set()).add(document.text)
    for new in documents:
        if texts.setdefault(new.id, new.text) != new.text:
            yield f"{new.shown}: the identifier is that of another text already."
        if new.name and new.text not in names.setdefault(new.name, {new.text}):
            yield f"{new.shown}: the name is that of another text already; --beside keeps both."


def _unpublishable(documents: Sequence[NewDocument], publish: Collection[str]) -> Iterable[str]:
    for name in publish:
        texts = {document.text for document in documents if document.name == name}
        if not texts:
            yield f"{name}: there is no document of this name to publish."
        elif len(texts) > 1:
            yield f"{name}: several documents of this name cannot all be published."
