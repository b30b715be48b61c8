"""The three tools: Swagger UI, ReDoc, GraphiQL."""

from __future__ import annotations

from html import escape

from starlette.responses import Response

from gateway.portal.assets import GRAPHIQL, assets
from gateway.portal.pages import Html, asset_url, page, render, stylesheets, text, tool_policy
from gateway.portal.sign_in import Demo, bar, sign_in, sign_in_scripts

GRAPHQL_PATH = "/graphql"


def swagger_page(
    project_name: str, api_prefix: str, base: str = "", *, graphql_path: str = GRAPHQL_PATH, demo: Demo | None = None
) -> Response:
    """Swagger UI on the OpenAPI document of the API, with the sign-in of the pages."""
    body = render(
        "docs.html",
        bar=bar(project_name, base, graphql_path, "Swagger UI", sign_in(demo)),
        openapi=f"{base}{api_prefix}/openapi.json",
        session=sign_in_scripts(base, api_prefix),
        bundle=asset_url("swagger-ui-bundle.js", base),
        document=asset_url("document.js", base),
        start=asset_url("docs.js", base),
    )
    head = stylesheets(base, "swagger-ui.css", "theme.css", "tools.css")
    return page(f"{project_name} · Swagger UI", body, base=base, head=head, policy=tool_policy())


def redoc_page(project_name: str, api_prefix: str, base: str = "", *, graphql_path: str = GRAPHQL_PATH) -> Response:
    """ReDoc on the OpenAPI document of the API."""
    body = render(
        "redoc.html",
        bar=bar(project_name, base, graphql_path, "ReDoc"),
        openapi=f"{base}{api_prefix}/openapi.json",
        bundle=asset_url("redoc.standalone.js", base),
        document=asset_url("document.js", base),
        start=asset_url("redoc.js", base),
    )
    head = stylesheets(base, "theme.css", "tools.css")
    return page(f"{project_name} · ReDoc", body, base=base, head=head, policy=tool_policy(workers=True))


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
    links, scripts = _installed(base) if installed else _from_cdn()
    notices = [] if installed else [render("graphiql_notice.html")]
    if documents != "any":
        notices.append(render("graphiql_documents.html", documents=documents))
    if not introspection:
        notices.append(render("graphiql_introspection.html"))
    body = render(
        "graphiql.html",
        bar=bar(project_name, base, graphql_path, "GraphiQL", sign_in(demo)),
        notice=Html("".join(notices)),
        query=text("example.graphql"),
        session=sign_in_scripts(base, api_prefix),
        scripts=scripts,
        start=asset_url("graphiql.js", base),
    )
    head = Html(links + stylesheets(base, "theme.css", "tools.css"))
    policy = tool_policy() if installed else tool_policy(upstream=[file.url for file in GRAPHIQL])
    return page(f"{project_name} · GraphiQL", body, base=base, head=head, policy=policy, vary="Accept")


def _installed(base: str) -> tuple[Html, Html]:
    """The links and the scripts of GraphiQL from `node_modules`."""
    names = [file.name for file in GRAPHIQL]
    scripts = (f'<script src="{escape(asset_url(name, base))}"></script>' for name in names if name.endswith(".js"))
    return stylesheets(base, *(name for name in names if name.endswith(".css"))), Html("".join(scripts))


def _from_cdn() -> tuple[Html, Html]:
    """The links and the scripts of GraphiQL from upstream."""
    links, scripts = "", ""
    for file in GRAPHIQL:
        checked = f'integrity="{file.integrity}" crossorigin="anonymous"'
        if file.name.endswith(".css"):
            links += f'<link rel="stylesheet" href="{file.url}" {checked}>'
        else:
            scripts += f'<script src="{file.url}" {checked}></script>'
    return Html(links), Html(scripts)
