"""Compose published documents: GraphQL runs them, REST serves them, and OpenAPI describes those that are published."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from rest.documents import ADDRESS, PATH, document_endpoint
from rest.http.problems import application_of
from rest.openapi.documents import with_documents
from rest.routes import rest_routes
from services.catalogue import Catalogue, Problem
from services.documents.operations import published_documents
from services.documents.publishing import DocumentRunner, UnpublishableDocumentError
from services.documents.trusted import Snapshot, TrustedDocuments
from services.engine.gateway import Gateway


class DocumentEndpoints:
    """Serves published documents, if the catalogue includes the package `services.documents`.

    `routes` are the framework's, `direct` as of RestRouter. Raises DeclarationError if a resource has the same address.
    """

    def __init__(self, catalogue: Catalogue, runner: DocumentRunner, prefix: str) -> None:
        self._runner, self._prefix = runner, prefix
        self._is_on = published_documents in catalogue.seams
        self.routes: list[Route] = []
        self.direct: dict[tuple[str, str], ASGIApp] = {}
        self._rendered: tuple[int, bytes] | None = None
        if self._is_on:
            for route in rest_routes(catalogue):
                if route.method == "GET" and route.path == ADDRESS and route.operation is not None:
                    raise route.operation.fault(
                        f'its address "{PATH.strip("/")}/{{id}}" is that of published documents.',
                        "Pass address=…, or leave services.documents out of MODULES.",
                    )
            endpoint = document_endpoint(runner)
            self.routes = [Route(prefix + ADDRESS, endpoint, methods=["GET", "HEAD"])]
            self.direct = {("GET", prefix + ADDRESS): application_of(endpoint)}

    async def openapi(self, app: Starlette, document: dict[str, Any]) -> bytes:
        """Return the OpenAPI document as JSON, with the published documents of the last snapshot that could be read."""
        snapshot = Snapshot(self._rendered[0] if self._rendered is not None else -1)
        gateway: Gateway | None = getattr(app.state, "gateway", None)
        if self._is_on and gateway is not None:
            with suppress(Problem):  # the document is served without a database, too
                snapshot = await gateway.part(TrustedDocuments).current()
        if self._rendered is None or self._rendered[0] != snapshot.version:
            published = []
            for each in snapshot.published.values():
                with suppress(UnpublishableDocumentError):
                    published.append(self._runner.describe(each))
            self._rendered = snapshot.version, orjson.dumps(with_documents(document, published, self._prefix))
        return self._rendered[1]
