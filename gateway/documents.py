"""Published documents, composed: GraphQL runs them, REST serves them, OpenAPI tells of them while they are there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from rest.documents import ADDRESS, PATH, DocumentRoutes
from rest.openapi.documents import with_documents
from rest.routes import rest_routes
from services.catalogue import Catalogue, Problem
from services.documents.operations import published_documents
from services.documents.publishing import DocumentRunner, PublishedDocument, UnfitDocumentError
from services.documents.trusted import Snapshot, TrustedDocuments
from services.engine.gateway import Gateway


class Published:
    """What serves published documents: nothing where the catalogue lacks the package `services.documents`.

    `routes` are the framework's; `direct` as of RestRouter. Raises DeclarationError when a resource has the address.
    """

    def __init__(self, catalogue: Catalogue, runner: DocumentRunner, prefix: str) -> None:
        self._runner, self._prefix = runner, prefix
        self._is_on = published_documents in catalogue.seams
        self.routes: list[Route] = []
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        self._made: tuple[int, bytes] | None = None
        if self._is_on:
            _check_address(catalogue)
            found = DocumentRoutes(runner, prefix)
            self.routes, self.direct = found.routes, found.direct

    async def openapi(self, app: Starlette, document: dict[str, Any]) -> bytes:
        """The OpenAPI document as JSON, with what is published at the moment, or was when that could last be told."""
        snapshot = await self._snapshot(app)
        if self._made is None or self._made[0] != snapshot.version:
            published = [found for each in snapshot.published.values() if (found := self._described(each)) is not None]
            self._made = snapshot.version, orjson.dumps(with_documents(document, published, self._prefix))
        return self._made[1]

    async def _snapshot(self, app: Starlette) -> Snapshot:
        gateway: Gateway | None = getattr(app.state, "gateway", None)
        if self._is_on and gateway is not None:
            with suppress(Problem):  # the contract itself needs no database
                return await gateway.part(TrustedDocuments).current()
        return Snapshot(self._made[0] if self._made is not None else -1)

    def _described(self, document: Any) -> PublishedDocument | None:
        try:
            return self._runner.describe(document)
        except UnfitDocumentError:
            return None


def _check_address(catalogue: Catalogue) -> None:
    for route in rest_routes(catalogue):
        if route.method == "GET" and route.path == ADDRESS and route.operation is not None:
            raise route.operation.fault(
                f'its address "{PATH.strip("/")}/{{id}}" is that of published documents.',
                "Pass address=…, or leave services.documents out of MODULES.",
            )
