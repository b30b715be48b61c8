"""The three tools: Swagger UI, ReDoc, GraphiQL."""

from __future__ import annotations

from html import escape

from starlette.responses import Response

from gateway.portal.assets import GRAPHIQL, assets
from gateway.portal.pages import Html, asset_url, page, render, stylesheets, text, tool_policy


def swagger_page(project_name: str, openapi_url: str, base: str = "") -> Response:
    """Swagger UI on the OpenAPI document at `openapi_url`, with its Authorize form for the OAuth2 password flow."""
    body = render(
        "docs.html",
        openapi=openapi_url,
        bundle=asset_url("swagger-ui-bundle.js", base),
        start=asset_url("docs.js", base),
    )
    head = stylesheets(base, "swagger-ui.css", "tools.css")
    return page(f"{project_name} · Swagger UI", body, base=base, head=head, policy=tool_policy())


def redoc_page(project_name: str, openapi_url: str, base: str = "") -> Response:
    """ReDoc on the OpenAPI document at `openapi_url`."""
    body = render(
        "redoc.html",
        openapi=openapi_url,
        bundle=asset_url("redoc.standalone.js", base),
        start=asset_url("redoc.js", base),
    )
    head = stylesheets(base, "tools.css")
    return page(f"{project_name} · ReDoc", body, base=base, head=head, policy=tool_policy(workers=True))


def graphiql_page(
    project_name: str, api_prefix: str, base: str = "", *, documents: str = "any", introspection: bool = True
) -> Response:
    """GraphiQL, to be answered by the GraphQL endpoint itself to a GET that accepts text/html.

    `documents` is which are run (GRAPHQL_DOCUMENTS): where that is not any, the page says so.

    The page sends its operations to the address it was loaded from. Where npm has not installed GraphiQL, it comes
    from the upstream CDN, with integrity hashes, and the page says so; as it does where there is no introspection.
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
        notice=Html("".join(notices)),
        query=text("example.graphql", api=api_prefix),
        scripts=scripts,
        start=asset_url("graphiql.js", base),
    )
    head = Html(links + stylesheets(base, "tools.css"))
    policy = tool_policy() if installed else tool_policy(origin="https://unpkg.com")
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
