"""The pages in a real browser: run a query in GraphiQL, sign in and call out in Swagger UI, and ask nobody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from gateway.portal.assets import GRAPHIQL, assets
from tests.support.browser import Page, chromium, find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None,
    reason="there is no chromium on this machine (Debian: apt-get install chromium), so the pages are not tried in one",
)

needs_graphiql = pytest.mark.skipif(
    any(file.name not in assets() for file in GRAPHIQL),
    reason="GraphiQL is not installed (npm ci --prefix gateway/portal --ignore-scripts); tests do not ask its CDN",
)


class DemoUser(Protocol):
    username: str
    password: str


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Page]:
    async with chromium() as browser:
        yield await browser.page(url)


@needs_graphiql
async def test_graphiql_runs_its_first_query_without_signing_in(live_server: str) -> None:
    async with opened(f"{live_server}/graphql") as page:
        await page.wait_for("document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror.getValue()")
        await page.click(".graphiql-execute-button")
        await page.wait_for(f"{RESULT}.includes('__typename')")

        assert json.loads(await page.run(RESULT)) == {"data": {"__typename": "Query"}}
        assert page.strangers(live_server) == []
        assert page.errors == []


@needs_graphiql
async def test_graphiql_sends_the_header_typed_into_its_header_editor(live_server: str, demo_user: DemoUser) -> None:
    async with opened(f"{live_server}/graphql") as page:
        token = await page.run(sign_in(demo_user))
        await edit(page, "Headers", json.dumps({"Authorization": f"Bearer {token}"}))
        await edit(page, "Query Editor", "query Me { me { username } }")
        # GraphiQL reads the name of the operation it will ask for a moment after the text.
        await page.wait_for(
            "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.operationName === 'Me'"
        )
        await page.click(".graphiql-execute-button")
        await page.wait_for(f"{RESULT}.includes('username')")

        assert json.loads(await page.run(RESULT)) == {"data": {"me": {"username": demo_user.username}}}
        assert page.strangers(live_server) == []


async def test_swagger_ui_signs_in_and_calls_out(live_server: str, demo_user: DemoUser) -> None:
    async with opened(f"{live_server}/docs") as page:
        await page.click(".btn.authorize")
        await page.type("#oauth_username", demo_user.username)
        await page.type("#oauth_password", demo_user.password)
        await page.click(".auth-btn-wrapper .btn.authorize")
        await page.wait_for("document.querySelector('.modal-ux')?.innerText.includes('Logout')")
        await page.click(".auth-btn-wrapper .btn-done")

        await page.run(f"{OPERATION}.querySelector('.opblock-summary-control').click()")
        await execute(page)

        answer = f"{OPERATION}.querySelector('.live-responses-table tbody .response')"
        assert (await page.run(f"{answer}.querySelector('.response-col_status').innerText")).strip() == "200"
        assert f'"username": "{demo_user.username}"' in await page.run(f"{answer}.innerText")
        assert page.strangers(live_server) == []
        assert page.errors == []


async def test_redoc_shows_the_document_and_reaches_nobody_else(live_server: str) -> None:
    async with opened(f"{live_server}/redoc") as page:
        await page.wait_for("document.querySelector('[role=menu]') && document.body.innerText.includes('/users/me')")

        # ReDoc asks for a logo at its maker's; the page's policy stops that before it leaves the browser.
        assert page.strangers(live_server) == page.blocked


async def test_landing_page_leads_to_pages_that_exist(live_server: str) -> None:
    async with opened(f"{live_server}/") as page:
        statuses = await page.run(
            "Promise.all([...document.querySelectorAll('a')].map(async a => "
            "[new URL(a.href).pathname, (await fetch(a.href, {headers: {accept: 'text/html'}})).status]))"
        )

        expected = ["/graphql", "/docs", "/redoc", "/api/v1/openapi.json", "/problems", "/health/ready", "/dev/mail"]
        assert statuses == [[path, 200] for path in expected]
        assert page.strangers(live_server) == []
        assert page.errors == []


RESULT = "(document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue() ?? '')"
OPERATION = (
    "[...document.querySelectorAll('.opblock-get')]"
    ".find(e => e.querySelector('.opblock-summary-path')?.innerText.replace(/\\u200b/g, '').endsWith('/users/me'))"
)


def sign_in(user: DemoUser) -> str:
    """JavaScript whose value is an access token."""
    form = json.dumps({"username": user.username, "password": user.password})
    return (
        f"fetch('/api/v1/auth/login', {{method: 'POST', body: new URLSearchParams({form})}})"
        ".then(answer => answer.json()).then(answer => answer.access_token)"
    )


async def execute(page: Page) -> None:
    """Press the operation's Execute, which Swagger UI ignores for good if it has not yet resolved the operation."""
    button = f"{OPERATION}.querySelector('.execute')"
    await page.wait_for(f"{button} && !{OPERATION}.querySelector('.opblock-loading-animation')")
    await page.run(f"{button}.click()")
    await page.wait_for(f"{OPERATION}.querySelector('.live-responses-table .response')")


async def edit(page: Page, editor: str, content: str) -> None:
    """Put `content` into one of GraphiQL's editors, found by the label of its region."""
    found = f"document.querySelector('section[aria-label=\"{editor}\"] .graphiql-editor:not(.hidden) .CodeMirror')"
    await page.wait_for(found)
    await page.run(f"{found}.CodeMirror.setValue({json.dumps(content)})")
