"""Problems outside of the faces: a page for whoever would rather have HTML, JSON for programs."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo import demo_account, load_demo
from gateway.settings import Settings
from tests.conftest import make_settings
from tests.support.apps import make_app, running

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
NOWHERE = [
    "/nowhere",
    "/docs/x",
    "/account/x",
    "/problems/x",
    "/assets/0000/x",
    "/dev/mail/x",
    "/graphql/x",
    "/api",
    "/%00",
]


@pytest.mark.parametrize("path", NOWHERE)
async def test_browser_that_goes_nowhere_gets_a_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>There is no such thing.</h1>" in answer.text
    assert 'href="/"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "Accept" in answer.headers["vary"]
    head = await client.head(path, headers={"Accept": BROWSER})
    assert (head.status_code, head.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json, text/html;q=0.5", ""])
@pytest.mark.parametrize("path", NOWHERE)
async def test_program_that_goes_nowhere_gets_json(client: httpx.AsyncClient, path: str, accept: str) -> None:
    answer = await client.get(path, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/v1", "/api/v1/items/itm_x/nowhere"])
async def test_api_answers_a_browser_with_json_too(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_graphql_refuses_a_browsers_method_in_its_own_form(client: httpx.AsyncClient) -> None:
    answer = await client.put("/graphql", headers={"Accept": BROWSER})

    assert answer.status_code == 405
    assert answer.json()["errors"][0]["extensions"]["code"] == "method_not_allowed"


async def test_browser_with_a_wrong_method_gets_a_page_that_allows_others(client: httpx.AsyncClient) -> None:
    answer = await client.post("/docs", headers={"Accept": BROWSER})

    assert (answer.status_code, answer.headers["content-type"]) == (405, "text/html; charset=utf-8")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_unexpected_exception_is_a_page_that_tells_the_request_id_and_nothing_else() -> None:
    async def fails(request: Request) -> Response:
        raise RuntimeError("a secret")

    app = make_app(make_settings())
    app.router.routes.append(Route("/fails", fails))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.get("/fails", headers={"Accept": BROWSER, "X-Request-ID": "abc-1"})

    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "<code>abc-1</code>" in answer.text
    assert "secret" not in answer.text


async def test_page_of_a_problem_leads_back_below_the_path_that_the_gateway_is_mounted_at() -> None:
    transport = ASGITransport(make_app(make_settings()), root_path="/below")
    async with AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/below/nowhere", headers={"Accept": BROWSER})
        of_the_api = await client.get("/below/api/v1/nowhere", headers={"Accept": BROWSER})

    assert 'href="/below/"' in answer.text
    assert of_the_api.headers["content-type"] == "application/problem+json"


async def test_link_that_carries_a_query_opens_graphiql_in_a_browser_and_runs_for_a_program(
    client: httpx.AsyncClient,
) -> None:
    query = {"query": "{ __typename }"}

    page = await client.get("/graphql", params=query, headers={"Accept": BROWSER})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for accept in ("application/json", "*/*", "application/graphql-response+json"):
        answer = await client.get("/graphql", params=query, headers={"Accept": accept})
        assert answer.json() == {"data": {"__typename": "Query"}}


async def test_demo_account_is_found_where_the_sample_data_is_and_never_in_production(settings: Settings) -> None:
    async with running(settings) as found:
        await load_demo(settings)
        assert await demo_account(found.app, settings) == ("demo", "demo-password")
        start = await found.client.get("/")
        assert "user name <code>demo</code>, password <code>demo-password</code>" in start.text
        production = settings.model_copy(update={"ENVIRONMENT": "production"})
        assert await demo_account(found.app, production) is None


async def test_pages_are_shown_without_the_demo_account_where_there_is_no_database() -> None:
    assert await demo_account(FastAPI(), make_settings()) is None
    async with AsyncClient(transport=ASGITransport(make_app(make_settings())), base_url="http://localhost") as client:
        start = await client.get("/")
    assert (start.status_code, "demo-password" in start.text) == (200, False)
