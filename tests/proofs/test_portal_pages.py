"""The pages in a real browser: run a query in GraphiQL, sign in and call out in Swagger UI, and ask nobody else."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.support.browser import chromium
from tests.support.pages import (
    QUERY,
    RESULT,
    ask,
    edit,
    execute,
    needs_chromium,
    needs_graphiql,
    opened,
    operation,
    unfold,
)
from tests.support.server import LiveServer

pytestmark = needs_chromium


@needs_graphiql
async def test_graphiql_runs_its_first_query_without_signing_in(live_server: str) -> None:
    async with opened(f"{live_server}/graphql") as page:
        assert await ask(page) == {"data": {"__typename": "Query"}}
        assert page.strangers(live_server) == []
        assert page.errors == []


@needs_graphiql
async def test_graphiql_sends_the_header_typed_into_its_header_editor(live_server: str, demo_user: LiveServer) -> None:
    async with opened(f"{live_server}/graphql") as page:
        token = await page.run(access_token(demo_user))
        await edit(page, "Headers", json.dumps({"Authorization": f"Bearer {token}"}))

        assert await ask(page, "query Me { me { username } }") == {"data": {"me": {"username": demo_user.username}}}
        assert page.strangers(live_server) == []


@needs_graphiql
async def test_graphiql_opens_on_the_query_and_variables_of_a_link_whatever_was_run_before(live_server: str) -> None:
    async with opened(f"{live_server}/graphql") as page:
        assert await ask(page, "query Before { __typename }") == {"data": {"__typename": "Query"}}
        await edit(page, "Headers", '{"X-Kept": "by nobody"}')
        await page.go(f"{live_server}/graphql?{urlencode({'query': '{ __typename }'})}")
        assert await ask(page) == {"data": {"__typename": "Query"}}

        wanted = {"query": "query($yes: Boolean!) { a: __typename @include(if: $yes) }", "variables": '{"yes": true}'}
        await page.go(f"{live_server}/graphql?{urlencode(wanted)}")
        assert await ask(page) == {"data": {"a": "Query"}}
        await page.go(f"{live_server}/graphql?{urlencode({'query': '{ b: __typename }'})}")
        assert await ask(page) == {"data": {"b": "Query"}}
        assert page.errors == []


@needs_graphiql
async def test_graphiql_sends_the_name_of_no_operation_that_is_gone(live_server: str) -> None:
    async with opened(f"{live_server}/graphql") as page:
        await ask(page, "query Before { __typename }")
        await page.wait_for(f"{QUERY}.operationName === 'Before'")
        # In one go: the editor has no time to notice.
        await page.run(
            f"{QUERY}.setValue('query After {{ after: __typename }}');"
            "document.querySelector('.graphiql-execute-button').click()"
        )
        await page.wait_for(f"{RESULT}.includes('after')")

        assert json.loads(await page.run(RESULT)) == {"data": {"after": "Query"}}


@needs_graphiql
async def test_graphiql_shows_the_answer_on_a_phone(live_server: str) -> None:
    async with opened(f"{live_server}/graphql", width=375) as page:
        await ask(page)

        widths = "['.graphiql-response', '.graphiql-query-editor'].map(e => document.querySelector(e).offsetWidth)"
        assert min(await page.run(widths)) > 300
        assert await page.run("document.querySelector('.graphiql-response').offsetHeight") > 150
        assert await page.run("document.documentElement.scrollWidth") == 375


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/problems", "/account/reset-password", "/nowhere"])
async def test_pages_fit_on_a_phone(live_server: str, path: str) -> None:
    async with opened(f"{live_server}{path}", width=375) as page:
        if path in ("/docs", "/redoc"):
            await page.wait_for("document.querySelector('.opblock, [data-section-id]')")

        assert await page.run("document.documentElement.scrollWidth") == 375


async def test_swagger_ui_signs_in_and_calls_out(live_server: str, demo_user: LiveServer) -> None:
    async with opened(f"{live_server}/docs") as page:
        await page.click(".btn.authorize")
        await page.type("#oauth_username", demo_user.username)
        await page.type("#oauth_password", demo_user.password)
        await page.click(".auth-btn-wrapper .btn.authorize")
        await page.wait_for("document.querySelector('.modal-ux')?.innerText.includes('Logout')")
        await page.click(".auth-btn-wrapper .btn-done")

        me = operation("get", "/api/v1/users/me")
        await unfold(page, me)
        status, shown = await execute(page, me)
        assert status == 200
        assert f'"username": "{demo_user.username}"' in shown
        assert page.strangers(live_server) == []
        assert page.errors == []


async def test_swagger_ui_finds_operations_by_their_tag(live_server: str) -> None:
    async with opened(f"{live_server}/docs") as page:
        await page.type(".operation-filter-input", "labels")
        await page.wait_for("document.querySelectorAll('.opblock-tag').length === 1")

        assert await page.run("document.querySelector('.opblock-tag').dataset.tag") == "labels"


async def test_redoc_shows_the_document_and_asks_nobody_else(live_server: str) -> None:
    async with opened(f"{live_server}/redoc") as page:
        await page.wait_for("document.querySelector('[role=menu]') && document.body.innerText.includes('/api-keys')")

        assert page.strangers(live_server) == []
        assert page.blocked == []
        assert page.errors == []


async def test_redoc_leads_from_its_menu_to_the_operation(live_server: str) -> None:
    async with opened(f"{live_server}/redoc#operation/listItems") as page:
        await page.wait_for("document.querySelector('[data-section-id=\"tag/items/operation/listItems\"]')")
        top = (
            "document.querySelector('[data-section-id=\"tag/items/operation/listItems\"]').getBoundingClientRect().top"
        )

        await page.wait_for(f"Math.abs({top}) < 100")


async def test_landing_page_leads_to_pages_that_exist(live_server: str, demo_user: LiveServer) -> None:
    async with opened(f"{live_server}/") as page:
        statuses = await page.run(
            "Promise.all([...document.querySelectorAll('a')].map(async a => "
            "[new URL(a.href).pathname, (await fetch(a.href, {headers: {accept: 'text/html'}})).status]))"
        )

        expected = ["/graphql", "/docs", "/redoc", "/api/v1/openapi.json", "/problems", "/health/ready", "/dev/mail"]
        assert statuses == [[path, 200] for path in expected]
        assert f"user name {demo_user.username}, password {demo_user.password}" in await page.run(
            "document.body.innerText"
        )
        assert page.strangers(live_server) == []
        assert page.errors == []


CONTRAST = """(selector => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => top.slice(0, 3).map((each, i) => (each * top[3] + below[i] * (255 - top[3])) / 255);
  const light = rgb => rgb.map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    if (!element) return rgba("Canvas").slice(0, 3);
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 255 ? own.slice(0, 3) : over(own, ground(element.parentElement));
  };
  return [...document.querySelectorAll(selector)].filter(each => each.innerText?.trim() && each.checkVisibility())
    .slice(0, 60).map(each => {
      const below = ground(each), ink = over(rgba(getComputedStyle(each).color), below);
      const [low, high] = [light(ink), light(below)].sort((a, b) => a - b);
      return [(high + 0.05) / (low + 0.05), light(below), each.outerHTML.slice(0, 120)];
    });
})"""
"""JavaScript: the contrast (WCAG 2.2, 1.4.3) and the background's luminance of the texts that a selector finds."""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/", "h1, h2, p, a strong, a span, code, button"),
        ("/nowhere", "h1, p, a"),
        ("/problems", "h1, p, th, td, a"),
        ("/account/reset-password", "h1, p, label"),
        ("/docs", ".bar a, .info h2.title, .info p, .opblock-tag span, .opblock-summary-path, input"),
        ("/docs#/items/createItem", ".header-col"),
        ("/redoc", ".bar a, h1, h2, h5, p, [role=menuitem] label span, td"),
        ("/redoc#operation/createItem", "h5 span, .token.number, .token.boolean"),
        pytest.param("/graphql", ".bar a, .bar button", marks=needs_graphiql),
    ],
)
async def test_pages_heed_the_colours_of_the_system_and_are_readable(
    live_server: str, path: str, texts: str, dark: bool
) -> None:
    async with opened(f"{live_server}{path}", dark=dark) as page:
        if path.startswith(("/docs", "/redoc", "/graphql")):
            await page.wait_for("document.querySelector('.opblock-summary-path, h5, .CodeMirror')")
        await page.wait_for(f"document.querySelectorAll({json.dumps(texts)}).length >= 3")
        measured = await page.run(f"{CONTRAST}({json.dumps(texts)})")

        assert len(measured) >= 3
        assert [each for each in measured if each[0] < 4.5] == []
        assert await page.run(f"{CONTRAST}('body')[0][1] < 0.2") is dark


async def test_tabs_of_one_browser_are_told_from_those_of_another(live_server: str) -> None:
    async with chromium() as browser:
        first = await browser.page(f"{live_server}/")
        await first.run("localStorage.setItem('mark', '1')")

        assert await (await browser.page(f"{live_server}/", beside=first)).run("localStorage.getItem('mark')") == "1"
        assert await (await browser.page(f"{live_server}/")).run("localStorage.getItem('mark')") is None


def access_token(user: LiveServer) -> str:
    """JavaScript whose value is an access token."""
    form = json.dumps({"username": user.username, "password": user.password})
    return (
        f"fetch('/api/v1/auth/login', {{method: 'POST', body: new URLSearchParams({form})}})"
        ".then(answer => answer.json()).then(answer => answer.access_token)"
    )
