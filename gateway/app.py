"""The composition root: build the application with both faces from the settings."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import orjson
from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from gateway.asgi.direct import Application
from gateway.asgi.faults import WriteProblem, problem_writer, register_fault_handlers
from gateway.asgi.frame import operation_frame
from gateway.asgi.middleware import behind, middleware_stack
from gateway.asgi.options import options_routes
from gateway.demo import demo_account
from gateway.documents import DocumentEndpoints
from gateway.embedded import check_reachable, embedded_servers, warn_of_pooler
from gateway.errors import SettingsError
from gateway.health import Check, health_routes
from gateway.logging import configure_logging
from gateway.mail import FOLDER, keeps_mails, warn_of_mail
from gateway.metrics import METRICS_PATH, metrics_routes
from gateway.migrate import MigrationState, Revisions, found_revisions, upgrade, warn_of_migrations
from gateway.portal import portal_routes
from gateway.portal.account import account_routes
from gateway.portal.mail import mail_routes
from gateway.portal.problems import prefers_html
from gateway.portal.tools import graphiql_page
from gateway.runtime import open_gateway
from gateway.serving.memory import calm_collector
from gateway.settings import Settings, load_settings
from gateway.worker import working
from graphql_schema.schema.schema import build_schema
from graphql_schema.transport.endpoint import GraphQLEndpoint
from graphql_schema.transport.origins import LOCAL, Origins
from graphql_schema.transport.transports import SocketLimits, Transports
from graphql_schema.transport.uploads import is_graphql_upload
from rest.files.content import file_routes, is_upload
from rest.oauth2 import METADATA_PATH, metadata
from rest.openapi.document import openapi_document
from rest.router import RestRouter
from services.catalogue import Catalogue
from services.engine.gateway import Gateway

GRAPHQL_PATH = "/graphql"
EXPOSED_HEADERS = (
    "Preference-Applied", "Accept-Query", "Deprecation", "Sunset", "Idempotency-Replayed",
    "Upload-Offset", "Content-Range", "Accept-Ranges", "Content-Disposition",
)  # fmt: skip


def create_app(settings: Settings | None = None, catalogue: Catalogue | None = None) -> FastAPI:
    """Return the application for these settings (default: the environment's) and catalogue (default: of MODULES).

    Raises SettingsError for invalid settings, DeclarationError for an invalid catalogue.
    """
    settings = settings or load_settings()
    configure_logging(settings.LOG_LEVEL, settings.log_format)
    catalogue = catalogue or Catalogue.load(settings.MODULES)
    graphql = _graphql(settings, catalogue)
    write = problem_writer(settings.PROJECT_NAME, settings.API_V1_STR)
    middleware = _middleware(settings, write)
    rest = RestRouter(catalogue, settings.API_V1_STR, settings.limits)
    published = DocumentEndpoints(catalogue, graphql.published, settings.API_V1_STR)
    app = Application(
        title=settings.PROJECT_NAME, version=settings.VERSION, lifespan=_lifespan(settings, catalogue),
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
        telemetry=None if settings.OPENTELEMETRY else {"tracing": False, "metrics": False, "logs": False},
        middleware=middleware,
    )  # fmt: skip
    if not settings.OPENTELEMETRY:  # which observes only requests that pass through the framework
        direct: dict[tuple[str, str], ASGIApp] = {**rest.direct, **published.direct, ("POST", GRAPHQL_PATH): graphql}
        app.direct = {address: behind(middleware, endpoint) for address, endpoint in direct.items()}
    register_fault_handlers(app, write)
    routes = app.router.routes
    routes.extend([*rest.routes, *file_routes(catalogue, settings.API_V1_STR), *published.routes])
    routes.extend(_documents(app, settings, catalogue, published))
    routes.append(Route(GRAPHQL_PATH, graphql, methods=["GET", "POST"]))
    routes.append(WebSocketRoute(GRAPHQL_PATH, graphql))
    routes.extend(_options(app, rest, settings))
    routes.extend(_pages(app, settings, catalogue))
    routes.extend(health_routes(_checks(app, settings)))
    if settings.METRICS:
        routes.extend(metrics_routes(catalogue.deprecations(), budgets=settings.has_budgets))
    return app


def _middleware(settings: Settings, write: WriteProblem) -> list[Middleware]:
    prefix, uploads = settings.API_V1_STR, settings.GRAPHQL_UPLOADS
    return middleware_stack(
        max_body_bytes=settings.MAX_BODY_BYTES, cors_origins=settings.BACKEND_CORS_ORIGINS,
        cors_pattern=LOCAL if settings.lets_local_pages_call else None,
        slash_prefixes=[prefix, GRAPHQL_PATH, "/docs", "/redoc", "/problems", "/health", METRICS_PATH],
        compression=settings.COMPRESSION_PREFERS if settings.COMPRESSION else None,
        exposed_headers=EXPOSED_HEADERS, server_timing=not settings.is_production,
        budgets=settings.has_budgets, timeout_seconds=settings.REQUEST_TIMEOUT_SECONDS, limits=settings.limits,
        is_upload=lambda scope: is_upload(scope, prefix) or (uploads and is_graphql_upload(scope, GRAPHQL_PATH)),
        write=write,
    )  # fmt: skip


def _pages(app: FastAPI, settings: Settings, catalogue: Catalogue) -> list[BaseRoute]:
    name, prefix, keeps = settings.PROJECT_NAME, settings.API_V1_STR, keeps_mails(settings)
    demo = partial(demo_account, app, settings)
    return [
        *portal_routes(name, settings.VERSION, prefix, demo, mails=keeps),
        *account_routes(name, prefix, catalogue),
        *(mail_routes(name, settings.DATA_DIR / FOLDER) if keeps else ()),
    ]


def _options(app: FastAPI, rest: RestRouter, settings: Settings) -> list[Route]:
    """Return the OPTIONS routes for those of both faces, which must be complete."""
    prefix = settings.API_V1_STR
    posted = "application/json, multipart/form-data" if settings.GRAPHQL_UPLOADS else "application/json"
    accepts = {**rest.accepts, GRAPHQL_PATH: {"Accept-Post": posted}}
    return options_routes(
        app.router.routes, lambda path: path == GRAPHQL_PATH or path.startswith(f"{prefix}/"), accepts
    )


def _graphql(settings: Settings, catalogue: Catalogue) -> GraphQLEndpoint:
    async def page(request: Request) -> Response | None:
        if not prefers_html(request.headers.get("accept", "")):
            return None
        base, documents = request.scope.get("root_path", ""), settings.GRAPHQL_DOCUMENTS
        return graphiql_page(
            settings.PROJECT_NAME, settings.API_V1_STR, base, documents=documents,
            introspection=settings.GRAPHQL_INTROSPECTION, demo=await demo_account(request.app, settings),
        )  # fmt: skip

    return GraphQLEndpoint(
        build_schema(catalogue, limits=settings.limits, uploads=settings.GRAPHQL_UPLOADS),
        catalogue, suggestions=not settings.is_production, page=page, limits=settings.limits,
        plans=settings.PLAN_CACHE_SIZE, plan_on_sight=settings.PLAN_ON_SIGHT, transports=_transports(settings),
        tell_cost=settings.GRAPHQL_COST_EXTENSION,
    )  # fmt: skip


def _transports(settings: Settings) -> Transports:
    limits = SocketLimits(
        settings.GRAPHQL_WS_INIT_SECONDS, settings.GRAPHQL_WS_OPERATIONS, settings.GRAPHQL_WS_MESSAGE_BYTES,
        settings.REQUEST_TIMEOUT_SECONDS,
    )  # fmt: skip
    public = urlsplit(settings.PUBLIC_URL)
    own = [f"{public.scheme}://{public.netloc}"] if settings.PUBLIC_URL else []
    origins = Origins.of([*own, *settings.BACKEND_CORS_ORIGINS], local=settings.lets_local_pages_call)
    return Transports(operation_frame, origins, settings.GRAPHQL_BATCH, settings.GRAPHQL_UPLOADS, limits)


def _documents(app: FastAPI, settings: Settings, catalogue: Catalogue, published: DocumentEndpoints) -> list[BaseRoute]:
    prefix = settings.API_V1_STR

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            app.openapi_schema = openapi_document(
                catalogue, title=settings.PROJECT_NAME, version=settings.VERSION, prefix=prefix, limits=settings.limits
            )
        return app.openapi_schema

    # FastAPI's documented way to replace the document.
    app.openapi = openapi  # type: ignore[method-assign]

    async def openapi_json(request: Request) -> Response:
        return Response(await published.openapi(app, app.openapi()), media_type="application/json")

    async def oauth2_metadata(request: Request) -> Response:
        issuer = settings.PUBLIC_URL or str(request.base_url).rstrip("/")
        return Response(orjson.dumps(metadata(catalogue, issuer, prefix)), media_type="application/json")

    return [Route(f"{prefix}/openapi.json", openapi_json), Route(METADATA_PATH, oauth2_metadata)]


def _lifespan(settings: Settings, catalogue: Catalogue) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # `gateway serve` has set the URLs; they may be unset where uvicorn was started directly.
            try:
                ready = stack.enter_context(embedded_servers(settings))
                reached = await check_reachable(ready)
            except SettingsError as error:
                # uvicorn would print a traceback, and exit with another code.
                await stack.aclose()
                sys.stderr.write(f"{error}\n")
                sys.stderr.flush()
                os._exit(1)
            if ready is not settings:
                await asyncio.to_thread(upgrade, reached)
            app.state.gateway = await stack.enter_async_context(open_gateway(reached, catalogue))
            warn_of_pooler(settings, reached)
            await warn_of_migrations(app.state.gateway.database.probe, settings)
            warn_of_mail(reached)
            if reached.runs_jobs:
                await stack.enter_async_context(working(app.state.gateway, reached))
            # Last, so that it exempts all objects made at start-up.
            stack.enter_context(calm_collector())
            yield

    return lifespan


def _checks(app: FastAPI, settings: Settings) -> dict[str, Check]:
    revisions = Revisions.of(settings)

    def gateway() -> Gateway:
        opened: Gateway = app.state.gateway
        return opened

    async def database() -> str | None:
        async with gateway().database.probe.connect() as connection:
            read_only = (await connection.exec_driver_sql("show transaction_read_only")).scalar_one()
        return None if read_only == "off" else "read-only"

    async def redis() -> None:
        await gateway().part(Redis).ping()

    async def migrations() -> str | None:
        standing = revisions.standing(await found_revisions(gateway().database.probe))
        if standing is MigrationState.BEHIND:
            raise RuntimeError("the database is not at the newest version: run `gateway migrate`")
        return None if standing is MigrationState.CURRENT else standing.value

    async def reads() -> None:
        reader = gateway().reader
        if reader is not None:
            await reader.pool.probe()

    checks = {"database": Check(database), "migrations": Check(migrations), "redis": Check(redis, required=False)}
    return checks if settings.DATABASE_READ_URL is None else {**checks, "reads": Check(reads)}
