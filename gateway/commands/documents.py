"""`gateway documents`: which GraphQL documents are trusted, and which of them are published at REST addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from graphql import GraphQLSchema

from gateway.embedded import check_reachable, shared_servers
from gateway.errors import SettingsError
from gateway.migrate import Revisions, check_migrated
from gateway.settings import load_settings
from graphql_schema.documents.parsing import Documents
from graphql_schema.published.manifests import read_manifest
from graphql_schema.published.published import PublishedDocuments
from graphql_schema.schema.schema import build_schema
from services.catalogue import Catalogue, Problem
from services.documents import registering
from services.documents.publishing import UnfitDocumentError
from services.documents.registering import NewDocument, RefusedDocumentsError
from services.storage.address import Address
from services.storage.database import Database

documents = typer.Typer(no_args_is_help=True, help="Register the GraphQL documents that clients may send by a hash.")

T = TypeVar("T")
_Named = Annotated[str, typer.Argument(help="The identifier of a document, or its name.")]


@dataclass(frozen=True, slots=True)
class Judge:
    """What the schema says of documents."""

    schema: GraphQLSchema
    documents: Documents
    published: PublishedDocuments
    prefix: str

    @classmethod
    def of_settings(cls) -> Judge:
        """That of the catalogue which MODULES says."""
        settings = load_settings()
        catalogue = Catalogue.load(settings.MODULES)
        schema = build_schema(catalogue, uploads=settings.GRAPHQL_UPLOADS)._schema  # noqa: SLF001 - as for the endpoint
        documents = Documents(schema, suggestions=True)
        return cls(schema, documents, PublishedDocuments(schema, catalogue, documents), settings.API_V1_STR)

    def read(self, files: Sequence[Path]) -> list[NewDocument]:
        """The documents of manifests. Raises SettingsError with all that is wrong with them."""
        found: list[NewDocument] = []
        faults: list[str] = []
        for file in files:
            try:
                found += read_manifest(file.read_bytes(), self.schema, self.documents)
            except RefusedDocumentsError as refused:
                faults += [f"{file}: {sentence}" for sentence in refused.sentences]
            except OSError as error:
                faults.append(f"{file}: {error.strerror}.")
        if faults:
            raise SettingsError("\n".join([*faults, "Nothing was registered."]))
        return found

    def check_publishable(self, name: str, text: str) -> None:
        """Raises SettingsError with all that keeps a document from having an address."""
        try:
            self.published.description(text)
        except UnfitDocumentError as unfit:
            faults = [f"{name} cannot be published: {sentence}" for sentence in unfit.sentences]
            raise SettingsError("\n".join([*faults, "Nothing was changed."])) from None


@documents.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Manifests of Relay's or Apollo's tools.")],
    publish: Annotated[list[str] | None, typer.Option(help="The name of a query to give an address.")] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Keep documents of the same names: clients of yesterday send them.")
    ] = False,
) -> None:
    """Register the documents of manifests: all of them, or none if anything is wrong."""
    judge = Judge.of_settings()
    found = judge.read(files)
    for each in found:
        if publish and each.name in publish:
            judge.check_publishable(each.name or each.id, each.text)
    added = _run(lambda database: registering.add_documents(database, found, publish or (), beside=beside))
    known = len({each.id for each in found}) - len(added.documents)
    typer.echo(f"{len(added.documents)} registered, {known} known already.")
    _say_published(judge, added.published)


@documents.command("list")
def list_() -> None:
    """List the documents: identifier, kind, name, and where it is published or why it does not fit any more."""
    judge = Judge.of_settings()
    for each in _run(registering.list_documents):
        remarks = [_address(judge, each.name)] if each.published and each.name else []
        prepared = judge.documents.prepare(each.text)
        if prepared.structure or prepared.values:
            remarks.append("does not fit the schema any more")
        typer.echo("  ".join([each.id, each.kind, each.name or "-", *remarks]))


@documents.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Identifiers of documents, or their names.")],
) -> None:
    """Forget documents; a name stands for all that have it."""
    gone = _run(lambda database: registering.remove_documents(database, names))
    typer.echo(f"{len(gone)} removed.")


@documents.command()
def publish(name: _Named) -> None:
    """Give a query an address below the REST API. Of several of one name, the one published last has it."""
    judge = Judge.of_settings()

    async def checked(database: Database) -> Sequence[str]:
        for each in await registering.list_documents(database):
            if name in (each.id, each.name):
                judge.check_publishable(name, each.text)
        return await registering.publish_document(database, name)

    published = _run(checked)
    if not published:
        typer.echo("It was published already.")
    _say_published(judge, published)


@documents.command()
def unpublish(name: _Named) -> None:
    """Take its address away from a document, which stays registered."""
    for each in _run(lambda database: registering.unpublish_document(database, name)):
        typer.echo(f"{each} has no address any more.")


def _say_published(judge: Judge, names: Sequence[str]) -> None:
    for name in names:
        typer.echo(f"{name} is at {_address(judge, name)}.")


def _address(judge: Judge, name: str) -> str:
    return f"{judge.prefix}/documents/{name}"


def _run(action: Callable[[Database], Awaitable[T]]) -> T:
    """Do something with the database. Raises SettingsError with what was refused."""
    with shared_servers(load_settings()) as settings:

        async def run() -> T:
            reached = await check_reachable(settings)
            async with _opened(reached.database) as database:
                await check_migrated(database.probe, Revisions.of(reached))
                return await action(database)

        try:
            return asyncio.run(run())
        except RefusedDocumentsError as refused:
            raise SettingsError("\n".join([*refused.sentences, "Nothing was changed."])) from None
        except Problem as problem:
            raise SettingsError(problem.detail) from None


@asynccontextmanager
async def _opened(address: Address) -> AsyncIterator[Database]:
    database = Database(address, pool_size=1)
    try:
        yield database
    finally:
        await database.close()
