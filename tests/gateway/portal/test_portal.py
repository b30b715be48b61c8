"""The pages without a browser: what is served, under which policy, and what is not."""

import gzip
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha384

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.asgi.faults import problem_writer, register_fault_handlers
from gateway.portal import portal_routes, tools
from gateway.portal.assets import GRAPHIQL, assets
from gateway.portal.problems import prefers_html
from gateway.portal.tools import Demo, graphiql_page
from services.catalogue.problems import NOT_FOUND, PROBLEM_TYPES


async def no_demo() -> None:
    """There is none."""


ROUTES = portal_routes('Gate & "way" <1>', "1.2.3", "/api/v1", no_demo)


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = Starlette(routes=[Mount("/below", routes=ROUTES), *ROUTES])
    register_fault_handlers(app, problem_writer("Gateway", "/api/v1"))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as client:
        yield client


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', html)


@pytest.mark.parametrize("base", ["", "/below"])
@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/problems", "/problems/not_found"])
async def test_pages_load_only_assets_that_the_gateway_serves(client: AsyncClient, base: str, path: str) -> None:
    answer = await client.get(base + path, headers={"Accept": "text/html"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    loaded = [url for url in addresses(answer.text) if "/assets/" in url]
    assert len(loaded) >= 2
    assert all(url.startswith(f"{base}/assets/") for url in loaded)
    assert [(await client.get(url)).status_code for url in loaded] == [200] * len(loaded)


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/problems"])
async def test_pages_have_no_inline_script_and_a_policy_that_forbids_it(client: AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "text/html"})

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"script-src[^;]*('unsafe|http|\*)", policy)
    assert re.findall(r"<script(?! src=)", answer.text) == []


async def test_the_projects_name_is_escaped(client: AsyncClient) -> None:
    text = (await client.get("/")).text

    assert "<h1>Gate &amp; &#34;way&#34; &lt;1&gt;</h1>" in text
    assert "Version 1.2.3" in text
    assert "<1>" not in text


async def test_assets_are_kept_for_good_under_their_digest_only(client: AsyncClient) -> None:
    asset = assets()["swagger-ui.css"]
    current = await client.get(asset.path)
    older = await client.get(f"/assets/0000/{asset.name}")

    assert current.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert current.headers["content-type"] == "text/css; charset=utf-8"
    assert older.headers["cache-control"] == "no-cache"
    assert current.content == older.content == asset.body


async def test_assets_are_compressed_for_whom_it_suits(client: AsyncClient) -> None:
    asset = assets()["swagger-ui-bundle.js"]
    plain = await client.get(asset.path, headers={"Accept-Encoding": "identity"})

    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(asset.compressed) == asset.body
    packed = await client.get(asset.path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == asset.body


@pytest.mark.parametrize("name", ["package.json", "core.py", "../core.py", "%2e%2e%2fcore.py", "favicon.png"])
async def test_files_that_are_not_named_are_not_served(client: AsyncClient, name: str) -> None:
    assert (await client.get(f"/assets/0000/{name}")).status_code == 404


def test_redocs_maker_is_not_asked_for_a_picture() -> None:
    assert b"cdn.redoc.ly" not in assets()["redoc.standalone.js"].body


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/graphql"])
async def test_demo_account_is_offered_where_there_is_one(path: str) -> None:
    async def demo() -> Demo:
        return Demo("demo", "<secret>")

    for found, offered in ((demo, path != "/redoc"), (no_demo, False)):
        routes = portal_routes("Gateway", "1", "/api/v1", demo=found)
        async with AsyncClient(transport=ASGITransport(Starlette(routes=routes)), base_url="http://gateway") as client:
            if path == "/graphql":
                html = bytes(graphiql_page("Gateway", "/api/v1", demo=await found()).body).decode()
            else:
                html = (await client.get(path)).text
            assert ('data-username="demo" data-password="&lt;secret&gt;"' in html) is offered


async def test_problems_as_json(client: AsyncClient) -> None:
    everything = await client.get("/problems")
    one = await client.get("/problems/not_found")

    assert [kind["code"] for kind in everything.json()["data"]] == list(PROBLEM_TYPES)
    assert one.json() == {
        "type": "/problems/not_found",
        "code": "not_found",
        "status": 404,
        "title": NOT_FOUND.title,
        "description": NOT_FOUND.description,
    }
    assert one.headers["vary"] == "Accept"


async def test_an_unknown_problem_is_a_problem(client: AsyncClient) -> None:
    answer = await client.get("/problems/nope")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"
    page = await client.get("/problems/nope", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no problem type with this code." in page.text


async def test_problem_pages_show_code_as_code(client: AsyncClient) -> None:
    answer = await client.get("/problems/too_many_requests", headers={"Accept": "text/html"})

    assert "<code>retry_after</code> (also the header <code>Retry-After</code>)" in answer.text


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=odd", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_accept(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


def test_graphiql_from_the_cdn_says_so_and_checks_what_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {name: asset for name, asset in assets().items() if name not in {file.name for file in GRAPHIQL}}
    monkeypatch.setattr(tools, "assets", lambda: own)

    answer = graphiql_page("Gateway", "/api/v1")

    html = bytes(answer.body).decode()
    assert "loads it from its upstream CDN, unpkg.com" in html
    assert [url for url in addresses(html) if url.startswith("http")] == [file.url for file in GRAPHIQL]
    assert re.findall(r'integrity="([^"]+)"', html) == [file.integrity for file in GRAPHIQL]
    scripts = re.findall(r"script-src ([^;]*);", answer.headers["content-security-policy"])
    assert scripts == [" ".join(["'self'", *(file.url for file in GRAPHIQL)])]


@pytest.mark.skipif(
    GRAPHIQL[0].name not in assets(),
    reason="GraphiQL is not installed (npm ci --prefix gateway/portal --ignore-scripts)",
)
def test_graphiql_as_installed_is_the_file_the_cdn_is_checked_for() -> None:
    answer = graphiql_page("Gateway", "/api/v1", "/below")

    html = bytes(answer.body).decode()
    assert "unpkg.com" not in html + answer.headers["content-security-policy"]
    assert all(url.startswith("/below/") for url in addresses(html))
    found = {file.name: "sha384-" + b64encode(sha384(assets()[file.name].body).digest()).decode() for file in GRAPHIQL}
    assert found == {file.name: file.integrity for file in GRAPHIQL}
