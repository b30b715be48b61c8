"""`gateway export openapi|graphql`: print the contracts of both faces."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
import typer

from gateway.settings import load_settings
from graphql_schema.schema.schema import build_schema
from rest.openapi.document import openapi_document
from services.catalogue import Catalogue


def export(contract: Annotated[Literal["openapi", "graphql"], typer.Argument(help="The contract to print.")]) -> None:
    """Print the OpenAPI document (JSON) or the GraphQL schema (SDL). Needs no servers."""
    settings = load_settings()
    catalogue = Catalogue.load(settings.MODULES)
    if contract == "graphql":
        typer.echo(build_schema(catalogue, limits=settings.limits, uploads=settings.GRAPHQL_UPLOADS).as_str())
        return
    document = openapi_document(
        catalogue, title=settings.PROJECT_NAME, version=settings.VERSION, prefix=settings.API_V1_STR,
        limits=settings.limits,
    )  # fmt: skip
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
