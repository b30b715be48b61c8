"""The pages of Swagger UI, ReDoc and GraphiQL."""

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
    """Return GraphiQL, with which the GraphQL endpoint answers a GET that accepts text/html.

    The page sends operations to the URL that it was loaded from, and starts with that URL's `query` and `variables`.
    Without an installed GraphiQL it loads it from the CDN, with integrity hashes. It displays a notice about that,
    about `documents` (GRAPHQL_DOCUMENTS) other than any, and about missing introspection.
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
    names = [file.name for file in GRAPHIQL]
    scripts = (f'<script src="{escape(asset_url(name, base))}"></script>' for name in names if name.endswith(".js"))
    return stylesheets(base, *(name for name in names if name.endswith(".css"))), Html("".join(scripts))


def _from_cdn() -> tuple[Html, Html]:
    links, scripts = "", ""
    for file in GRAPHIQL:
        attributes = f'integrity="{file.integrity}" crossorigin="anonymous"'
        if file.name.endswith(".css"):
            links += f'<link rel="stylesheet" href="{file.url}" {attributes}>'
        else:
            scripts += f'<script src="{file.url}" {attributes}></script>'
    return Html(links), Html(scripts)
