"""The gateway's own pages: a landing page, Swagger UI, ReDoc, GraphiQL, the problems. They need no internet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.portal.assets import ASSETS_PATH, assets, serve_asset
from gateway.portal.mail import MAIL_PATH, is_near
from gateway.portal.pages import SCRIPTED_POLICY, base_of, page, tool_policy
from gateway.portal.problems import problem_detail, problem_list
from gateway.portal.tools import Demo


def portal_routes(
    project_name: str, version: str, api_prefix: str, demo: Callable[[], Awaitable[Demo | None]], *, mails: bool = False
) -> list[BaseRoute]:
    """The pages but GraphiQL, which has no route of its own: the GraphQL endpoint answers with `graphiql_page`.

    `demo` finds the account that the pages offer to sign in to. `mails`: there are `mail_routes`, to which the start
    page leads whom they would answer.
    """

    async def landing(request: Request) -> Response:
        return page(
            "landing.html", base=base_of(request), policy=SCRIPTED_POLICY, project=project_name, version=version,
            api=api_prefix, origin=str(request.base_url).rstrip("/"),
            mails=MAIL_PATH if mails and is_near(request) else "", demo=await demo(),
        )  # fmt: skip

    async def docs(request: Request) -> Response:
        return page(
            "docs.html", base=base_of(request), policy=tool_policy(), project=project_name, tool="Swagger UI",
            api=api_prefix, demo=await demo(),
        )  # fmt: skip

    async def redoc(request: Request) -> Response:
        policy = tool_policy(workers=True)
        return page(
            "redoc.html", base=base_of(request), policy=policy, project=project_name, tool="ReDoc", api=api_prefix
        )

    return [
        Route("/", landing),
        Route("/docs", docs),
        Route("/redoc", redoc),
        Route("/problems", partial(problem_list, project_name)),
        Route("/problems/{code}", partial(problem_detail, project_name)),
        Route("/favicon.ico", favicon),
        Route(f"{ASSETS_PATH}/{{digest}}/{{name}}", serve_asset),
    ]


async def favicon(request: Request) -> Response:
    """The icon, for browsers that ask at the old address without having read a page."""
    icon = assets()["favicon.svg"]
    return Response(icon.body, headers={"Cache-Control": "public, max-age=86400"}, media_type=icon.media_type)
