"""The gateway's own pages: a landing page, Swagger UI, ReDoc, GraphiQL, the problems. They need no internet."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.portal.assets import ASSETS_PATH, assets, serve_asset
from gateway.portal.mail import MAIL_PATH, is_near
from gateway.portal.pages import SCRIPTED_POLICY, page
from gateway.portal.problems import problem_detail, problem_list
from gateway.portal.sign_in import Demo, FindDemo, no_demo
from gateway.portal.tools import GRAPHQL_PATH, graphiql_page, redoc_page, swagger_page

__all__ = ["graphiql_page", "portal_routes"]


def portal_routes(
    project_name: str, version: str, api_prefix: str, *, graphql_path: str = GRAPHQL_PATH, mails: bool = False,
    demo: FindDemo = no_demo,
) -> list[BaseRoute]:  # fmt: skip
    """`/`, `/docs`, `/redoc`, `/problems`, `/problems/{code}`, `/favicon.ico` and `/assets/…`.

    The pages name the OpenAPI document `{api_prefix}/openapi.json` and the GraphQL endpoint `graphql_path`. GraphiQL
    has no route of its own: the endpoint answers with `graphiql_page`. `mails`: there are `mail_routes`, to which the
    start page leads whom they would answer. `demo` finds the account that the pages offer to sign in to.
    """

    async def landing(request: Request) -> Response:
        shows = mails and is_near(request)
        found = await demo()
        return landing_page(request, project_name, version, api_prefix, graphql_path, mails=shows, demo=found)

    async def docs(request: Request) -> Response:
        return swagger_page(project_name, api_prefix, _base(request), graphql_path=graphql_path, demo=await demo())

    async def redoc(request: Request) -> Response:
        return redoc_page(project_name, api_prefix, _base(request), graphql_path=graphql_path)

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
    """The front door: where everything is, the mails that are kept too if wanted, and the first requests to make."""
    return page(
        "landing.html", base=_base(request), policy=SCRIPTED_POLICY, project=project_name, version=version,
        api=api_prefix, graphql=graphql_path, origin=str(request.base_url).rstrip("/"),
        mails=MAIL_PATH if mails else "", demo=demo,
    )  # fmt: skip


async def favicon(request: Request) -> Response:
    """The icon, for browsers that ask at the old address without having read a page."""
    icon = assets()["favicon.svg"]
    return Response(icon.body, headers={"Cache-Control": "public, max-age=86400"}, media_type=icon.media_type)


def _base(request: Request) -> str:
    """The path the gateway is mounted at behind a proxy (ASGI's root_path), empty at the root."""
    base: str = request.scope.get("root_path", "")
    return base.rstrip("/")
