"""The gateway's own pages: a landing page, Swagger UI, ReDoc, GraphiQL and the problem types; they work offline."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.portal.assets import ASSETS_PATH, assets, serve_asset
from gateway.portal.mail import MAIL_PATH, is_near
from gateway.portal.pages import SCRIPTED_POLICY, Html, base_path, page, render
from gateway.portal.problems import problem_detail, problem_list
from gateway.portal.sign_in import Demo, FindDemo, no_demo, sign_in, sign_in_scripts
from gateway.portal.tools import GRAPHQL_PATH, graphiql_page, redoc_page, swagger_page

__all__ = ["graphiql_page", "portal_routes"]


def portal_routes(
    project_name: str, version: str, api_prefix: str, *, graphql_path: str = GRAPHQL_PATH, mails: bool = False,
    demo: FindDemo = no_demo,
) -> list[BaseRoute]:  # fmt: skip
    """Return the routes of `/`, `/docs`, `/redoc`, `/problems`, `/problems/{code}`, `/favicon.ico` and `/assets/…`.

    The pages refer to the OpenAPI document `{api_prefix}/openapi.json` and to the GraphQL endpoint `graphql_path`.
    GraphiQL has no route here, since the endpoint answers with `graphiql_page`. With `mails` the landing page links to
    the kept mails for those who may read them. `demo` finds the account with which visitors may sign in.
    """

    async def landing(request: Request) -> Response:
        return landing_page(
            request, project_name, version, api_prefix, graphql_path, mails=mails and is_near(request),
            demo=await demo(),
        )  # fmt: skip

    async def docs(request: Request) -> Response:
        base = base_path(request)
        return swagger_page(project_name, api_prefix, base, graphql_path=graphql_path, demo=await demo())

    async def redoc(request: Request) -> Response:
        return redoc_page(project_name, api_prefix, base_path(request), graphql_path=graphql_path)

    async def problems(request: Request) -> Response:
        return problem_list(request, project_name)

    async def problem(request: Request) -> Response:
        return problem_detail(request, project_name)

    return [
        Route("/", landing),
        Route("/docs", docs),
        Route("/redoc", redoc),
        Route("/problems", problems),
        Route("/problems/{code}", problem),
        Route("/favicon.ico", favicon),
        Route(f"{ASSETS_PATH}/{{digest}}/{{name}}", serve_asset),
    ]


def landing_page(
    request: Request, project_name: str, version: str, api_prefix: str, graphql_path: str, *, mails: bool = False,
    demo: Demo | None = None,
) -> Response:  # fmt: skip
    """Return the landing page: links to everything, to the kept mails if `mails`, and first requests to try."""
    base = base_path(request)
    card = render("landing_mails.html", address=f"{base}{MAIL_PATH}") if mails else Html()
    body = render(
        "landing.html",
        project=project_name,
        version=version,
        base=base,
        api=api_prefix,
        graphql=graphql_path,
        origin=str(request.base_url).rstrip("/"),
        mails=card,
        session=sign_in(demo),
        demo=render("landing_demo.html", **demo._asdict()) if demo else Html(),
        scripts=sign_in_scripts(base, api_prefix),
    )
    return page(project_name, body, base=base, policy=SCRIPTED_POLICY)


async def favicon(request: Request) -> Response:
    """Serve the icon at the conventional address, for browsers that request it without having read a page."""
    icon = assets()["favicon.svg"]
    return Response(icon.body, headers={"Cache-Control": "public, max-age=86400"}, media_type=icon.media_type)
