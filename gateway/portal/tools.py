"""The three tools: Swagger UI, ReDoc, GraphiQL."""

from __future__ import annotations

from starlette.responses import Response

from gateway.portal.assets import GRAPHIQL, assets
from gateway.portal.pages import page, tool_policy
from gateway.portal.sign_in import Demo

GRAPHQL_PATH = "/graphql"


def swagger_page(
    project_name: str, api_prefix: str, base: str = "", *, graphql_path: str = GRAPHQL_PATH, demo: Demo | None = None
) -> Response:
    """Swagger UI on the OpenAPI document of the API, with the sign-in of the pages."""
    return page(
        "docs.html", base=base, policy=tool_policy(), project=project_name, tool="Swagger UI", api=api_prefix,
        graphql=graphql_path, demo=demo,
    )  # fmt: skip


def redoc_page(project_name: str, api_prefix: str, base: str = "", *, graphql_path: str = GRAPHQL_PATH) -> Response:
    """ReDoc on the OpenAPI document of the API."""
    return page(
        "redoc.html", base=base, policy=tool_policy(workers=True), project=project_name, tool="ReDoc", api=api_prefix,
        graphql=graphql_path,
    )  # fmt: skip


def graphiql_page(
    project_name: str, api_prefix: str, base: str = "", *, documents: str = "any", introspection: bool = True,
    graphql_path: str = GRAPHQL_PATH, demo: Demo | None = None,
) -> Response:  # fmt: skip
    """GraphiQL, to be answered by the GraphQL endpoint itself to a GET that accepts text/html.

    `documents` is which are run (GRAPHQL_DOCUMENTS): where that is not any, the page says so.

    The page sends its operations to the address it was loaded from, and opens on that address's `query` and
    `variables`. Where npm has not installed GraphiQL, it comes from the upstream CDN, with
    integrity hashes, and the page says so; as it does where there is no introspection.
    """
    installed = all(file.name in assets() for file in GRAPHIQL)
    return page(
        "graphiql.html", base=base, policy=tool_policy(upstream=[] if installed else [file.url for file in GRAPHIQL]),
        vary="Accept", project=project_name, tool="GraphiQL", api=api_prefix, graphql=graphql_path, demo=demo,
        graphiql=GRAPHIQL, installed=installed, documents=documents, introspection=introspection,
    )  # fmt: skip
