"""What people do on the gateway's pages, in a real browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from gateway.portal.assets import GRAPHIQL, assets
from tests.support.browser import Page, chromium, find_chromium

needs_chromium = pytest.mark.skipif(
    find_chromium() is None,
    reason="there is no chromium on this machine (Debian: apt-get install chromium), so the pages are not tried in one",
)
needs_graphiql = pytest.mark.skipif(
    any(file.name not in assets() for file in GRAPHIQL),
    reason="GraphiQL is not installed (npm ci --prefix gateway/portal --ignore-scripts); tests do not ask its CDN",
)
QUERY: Final = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror"
RESULT: Final = "(document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue() ?? '')"
WHO: Final = "document.getElementById('who').textContent"


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[Page]:
    """A browser's only tab; `options` are those of `Browser.page`."""
    async with chromium() as browser:
        yield await browser.page(url, **options)


def operation(method: str, path: str) -> str:
    """JavaScript whose value is Swagger UI's block of an operation, `path` with its prefix."""
    shown = "e.querySelector('.opblock-summary-path')?.innerText.replace(/\\u200b/g, '')"
    return f"[...document.querySelectorAll('.opblock-{method}')].find(e => {shown} === {json.dumps(path)})"


async def unfold(page: Page, block: str) -> None:
    """Open an operation until it can be executed."""
    await page.wait_for(block)
    await page.run(f"{block}.querySelector('.opblock-summary-control').click()")
    await page.wait_for(f"{block}.querySelector('.execute') && !{block}.querySelector('.opblock-loading-animation')")


async def execute(page: Page, block: str) -> tuple[int, str]:
    """Press Execute of an operation that is open; returns the status of the answer, and what is shown of it."""
    await page.run(f"{block}.querySelector('.execute').click()")
    answer = f"{block}.querySelector('.live-responses-table tbody .response')"
    await page.wait_for(answer)
    status = await page.run(f"{answer}.querySelector('.response-col_status').innerText")
    return int(status.split()[0]), await page.run(f"{answer}.innerText")


async def edit(page: Page, editor: str, content: str) -> None:
    """Put `content` into one of GraphiQL's editors, found by the label of its region."""
    found = f"document.querySelector('section[aria-label=\"{editor}\"] .graphiql-editor:not(.hidden) .CodeMirror')"
    await page.wait_for(found)
    await page.run(f"{found}.CodeMirror.setValue({json.dumps(content)})")


async def ask(page: Page, query: str | None = None) -> Any:
    """Run a query in GraphiQL, or what is in its editor; returns the answer."""
    await page.wait_for(f"{QUERY} && {QUERY}.getValue()")
    if query is not None:
        await edit(page, "Query Editor", query)
    await page.run("document.querySelector('.result-window .CodeMirror')?.CodeMirror.setValue('')")
    await page.click(".graphiql-execute-button")
    await page.wait_for(f"{RESULT} && !document.querySelector('.graphiql-spinner')")
    return json.loads(await page.run(RESULT))


async def sign_in(page: Page, username: str, password: str) -> None:
    """By the button and the form that the pages share."""
    await page.click("#sign-in-open")
    await page.type("#sign-in [name=username]", username)
    await page.type("#sign-in [name=password]", password)
    await page.click("#sign-in [type=submit]")


async def kept(page: Page) -> dict[str, Any] | None:
    """The session as the browser keeps it."""
    found: dict[str, Any] | None = await page.run("JSON.parse(localStorage.getItem('gateway.session'))")
    return found
