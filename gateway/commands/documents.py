"""`gateway documents`: register trusted GraphQL documents, and publish them at REST addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.running import run_with_gateway
from gateway.errors import SettingsError
from gateway.migrate import check_migrated
from gateway.settings import Settings, load_settings
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.published.manifests import read_manifest
from graphql_schema.published.published import PublishedDocuments
from graphql_schema.schema.schema import build_schema
from services.catalogue import Catalogue
from services.documents import registering
from services.documents.publishing import UnpublishableDocumentError
from services.documents.registering import NewDocument, RefusedDocumentsError
from services.engine.gateway import Gateway
from services.storage.database import Database

documents = typer.Typer(no_args_is_help=True, help="Register the GraphQL documents that clients may send by a hash.")

_Named = Annotated[str, typer.Argument(help="The identifier of a document, or its name.")]


class DocumentChecker:
    """Checks documents against the schema of the configured catalogue."""

    def __init__(self) -> None:
        settings = load_settings()
        catalogue = Catalogue.load(settings.MODULES)
        self.schema = build_schema(catalogue, uploads=settings.GRAPHQL_UPLOADS)._schema  # noqa: SLF001 - as for the endpoint
        self.documents = DocumentCache(self.schema, suggestions=True)
        self.published = PublishedDocuments(self.schema, catalogue, self.documents)
        self.prefix = settings.API_V1_STR

    def read(self, files: Sequence[Path]) -> list[NewDocument]:
        new: list[NewDocument] = []
        faults: list[str] = []
        for file in files:
            try:
                new += read_manifest(file.read_bytes(), self.schema, self.documents)
            except RefusedDocumentsError as refused:
                faults += [f"{file}: {sentence}" for sentence in refused.sentences]
            except OSError as error:
                faults.append(f"{file}: {error.strerror}.")
        if faults:
            raise SettingsError("\n".join([*faults, "Nothing was registered."]))
        return new

    def check_publishable(self, name: str, text: str) -> None:
        """Raise SettingsError, with a sentence for each reason, if a document cannot be published."""
        try:
            self.published.description(text)
        except UnpublishableDocumentError as unfit:
            faults = [f"{name} cannot be published: {sentence}" for sentence in unfit.sentences]
            raise SettingsError("\n".join([*faults, "Nothing was changed."])) from None

    def address(self, name: str) -> str:
        return f"{self.prefix}/documents/{name}"


@documents.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Manifests of Relay's or Apollo's tools.")],
    publish: Annotated[list[str] | None, typer.Option(help="The name of a query to give an address.")] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Keep documents of the same names, which older clients send.")
    ] = False,
) -> None:
    """Register the documents in manifests: all of them, or none if any is invalid."""
    judge = DocumentChecker()
    new = judge.read(files)
    for document in new:
        if publish and document.name in publish:
            judge.check_publishable(document.name or document.id, document.text)
    added, published = _run(lambda database: registering.add_documents(database, new, publish or (), beside=beside))
    known = len({document.id for document in new}) - len(added)
    typer.echo(f"{len(added)} registered, {known} known already.")
    _say_published(judge, published)


@documents.command("list")
def list_() -> None:
    """List the documents: identifier, kind, name, address, and whether they are invalid in the current schema."""
    judge = DocumentChecker()
    for document in _run(registering.list_documents):
        remarks = [judge.address(document.name)] if document.published and document.name else []
        prepared = judge.documents.prepare(document.text)
        if prepared.structure or prepared.values:
            remarks.append("does not fit the schema any more")
        typer.echo("  ".join([document.id, document.kind, document.name or "-", *remarks]))


@documents.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Identifiers of documents, or their names.")],
) -> None:
    """Unregister documents; a name stands for all documents that have it."""
    removed = _run(lambda database: registering.remove_documents(database, names))
    typer.echo(f"{len(removed)} removed.")


@documents.command()
def publish(name: _Named) -> None:
    """Publish a query at a REST address. Of several queries of one name, the last published one has the address."""
    judge = DocumentChecker()

    async def checked(database: Database) -> Sequence[str]:
        for document in await registering.list_documents(database):
            if name in (document.id, document.name):
                judge.check_publishable(name, document.text)
        return await registering.publish_document(database, name)

    published = _run(checked)
    if not published:
        typer.echo("It was published already.")
    _say_published(judge, published)


@documents.command()
def unpublish(name: _Named) -> None:
    """Remove the address of a document, which stays registered."""
    for unpublished in _run(lambda database: registering.unpublish_document(database, name)):
        typer.echo(f"{unpublished} has no address any more.")


def _say_published(judge: DocumentChecker, names: Sequence[str]) -> None:
    for name in names:
        typer.echo(f"{name} is at {judge.address(name)}.")


def _run(action: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run(gateway: Gateway, settings: Settings) -> Any:
        await check_migrated(gateway.database.probe, settings)
        return await action(gateway.database)

    try:
        return run_with_gateway(run)
    except RefusedDocumentsError as refused:
        raise SettingsError("\n".join([*refused.sentences, "Nothing was changed."])) from None
