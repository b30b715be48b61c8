"""The sign-in that GraphiQL, Swagger UI and the start page share, in a real browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import httpx

from tests.support.browser import Page, chromium
from tests.support.pages import (
    WHO,
    ask,
    execute,
    kept,
    needs_chromium,
    needs_graphiql,
    opened,
    operation,
    sign_in,
    unfold,
)
from tests.support.server import LiveServer

pytestmark = [needs_chromium, needs_graphiql]

ME = operation("get", "/api/v1/users/me")
AUTHORIZED = "document.querySelector('.btn.authorize svg')?.innerHTML.includes('unlocked')"


def refreshes(*pages: Page) -> int:
    return sum(
        each.requests.count(url) for each in pages for url in set(each.requests) if url.endswith("/auth/refresh")
    )


async def test_who_signs_in_on_graphiql_is_signed_in_everywhere_until_they_sign_out(live: LiveServer) -> None:
    async with opened(f"{live.url}/graphql") as page:
        await page.click("#sign-in-open")
        await page.click("#sign-in [data-username]")
        await page.wait_for(f"{WHO} === 'demo'")
        assert await ask(page, "{ me { username } }") == {"data": {"me": {"username": "demo"}}}

        await page.go(f"{live.url}/graphql")
        assert await page.run(WHO) == "demo"
        assert await ask(page, "{ me { username } }") == {"data": {"me": {"username": "demo"}}}

        await page.go(f"{live.url}/docs")
        await unfold(page, ME)
        status, shown = await execute(page, ME)
        assert status == 200
        assert '"username": "demo"' in shown
        await page.click(".btn.authorize")
        await page.wait_for("document.querySelector('.modal-ux')?.innerText.includes('Logout')")
        session = await kept(page)
        assert session is not None
        await page.run("[...document.querySelectorAll('.modal-ux button')].find(e => e.innerText === 'Logout').click()")
        await page.wait_for(f"{WHO} === ''")

        assert await kept(page) is None
        await page.wait_for("performance.getEntriesByType('resource').some(e => e.name.endsWith('/auth/revoke'))")
        assert await refused(live, session["refresh"])
        await page.go(f"{live.url}/graphql")
        assert (await ask(page, "{ me { username } }"))["errors"][0]["extensions"]["code"] == "unauthenticated"
        assert page.strangers(live.url) == []


async def refused(live: LiveServer, refresh: str) -> bool:
    """Whether a refresh token is worth nothing, once what was just asked for has been done."""
    async with httpx.AsyncClient(base_url=live.url) as client:
        for _ in range(50):
            answer = await client.post("/api/v1/auth/introspect", json={"token": refresh})
            if answer.status_code == 401:
                break
        return (await client.post("/api/v1/auth/refresh", json={"refresh_token": refresh})).status_code == 401


async def test_what_authorize_of_swagger_ui_signs_in_is_the_same_session_and_no_password_is_kept(
    live: LiveServer,
) -> None:
    async with chromium() as browser:
        docs = await browser.page(f"{live.url}/docs")
        graphiql = await browser.page(f"{live.url}/graphql", beside=docs)
        await docs.click(".btn.authorize")
        await docs.type("#oauth_username", live.username)
        await docs.type("#oauth_password", live.password)
        await docs.click(".auth-btn-wrapper .btn.authorize")
        await graphiql.wait_for(f"{WHO} === 'demo'")
        assert await ask(graphiql, "{ me { username } }") == {"data": {"me": {"username": "demo"}}}
        storage = await docs.run("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "access" in storage
        assert live.password not in storage

        await graphiql.click("#sign-out")
        await docs.wait_for(f"{WHO} === ''")
        await docs.wait_for("!document.querySelector('.modal-ux')?.innerText.includes('Logout')")


async def test_authorize_of_swagger_ui_shows_the_form_for_passwords_first(live: LiveServer) -> None:
    async with opened(f"{live.url}/docs") as page:
        await page.click(".btn.authorize")
        await page.wait_for("document.querySelector('#oauth_username')")
        await page.wait_for("document.querySelector('.modal-ux-content').scrollTop === 0")

        place = "document.querySelector('#oauth_username').getBoundingClientRect()"
        assert await page.run(f"{place}.top > 0 && {place}.bottom < innerHeight")
        await page.wait_for("document.activeElement?.id === 'oauth_username'")


async def test_key_pasted_into_authorize_survives_a_reload_in_its_tab_alone(live: LiveServer) -> None:
    async with chromium() as browser:
        page = await browser.page(f"{live.url}/docs")
        await page.click(".btn.authorize")
        await page.type("#auth-bearer-value", "hgw_pasted")
        await page.run(
            "document.querySelector('#auth-bearer-value').closest('form').querySelector('.authorize').click()"
        )
        await page.wait_for("document.querySelector('.modal-ux')?.innerText.includes('Logout')")
        await page.go(f"{live.url}/docs")
        await unfold(page, ME)

        status, _ = await execute(page, ME)
        assert status == 401
        assert "hgw_pasted" in await page.run("document.querySelector('.curl-command').innerText")
        assert "hgw_pasted" not in await page.run("JSON.stringify({...localStorage})")


async def test_wrong_password_is_told_and_nothing_is_kept(live: LiveServer) -> None:
    async with opened(f"{live.url}/") as page:
        await sign_in(page, "demo", "wrong")
        await page.wait_for("document.querySelector('#sign-in [role=alert]').textContent")

        assert await kept(page) is None
        assert await page.run("document.getElementById('sign-in').open") is True
        assert await page.run(WHO) == ""


async def test_access_token_is_replaced_before_it_expires_and_when_it_is_refused(live: LiveServer) -> None:
    async with opened(f"{live.url}/graphql") as page:
        await sign_in(page, live.username, live.password)
        await page.wait_for(f"{WHO} === 'demo'")
        for damage in ('{"stale": 0}', '{"access": "nonsense"}'):
            before = await kept(page)
            assert before is not None
            await page.run(
                "localStorage.setItem('gateway.session', JSON.stringify("
                f"{{...JSON.parse(localStorage.getItem('gateway.session')), ...{damage}}}))"
            )
            assert await ask(page, "{ me { username } }") == {"data": {"me": {"username": "demo"}}}
            after = await kept(page)
            assert after is not None
            assert after["refresh"] != before["refresh"]
        assert refreshes(page) == 2


async def test_example_of_a_refresh_token_is_sent_as_the_sessions_own_and_the_session_goes_on(live: LiveServer) -> None:
    refresh = operation("post", "/api/v1/auth/refresh")
    async with opened(f"{live.url}/docs") as page:
        await sign_in(page, live.username, live.password)
        await page.wait_for(f"{WHO} === 'demo'")
        for _ in range(2):
            before = await kept(page)
            await unfold(page, refresh)
            status, shown = await execute(page, refresh)
            after = await kept(page)
            assert before is not None
            assert after is not None
            assert status == 200, shown
            assert after["refresh"] not in (before["refresh"], "string")
            assert after["refresh"] in shown
            await page.go(f"{live.url}/docs")

        await unfold(page, ME)
        status, shown = await execute(page, ME)
        assert status == 200, shown


async def test_tabs_that_refresh_at_once_share_one_refresh(live: LiveServer) -> None:
    async with chromium() as browser:
        first = await browser.page(f"{live.url}/graphql")
        await sign_in(first, live.username, live.password)
        await first.wait_for(f"{WHO} === 'demo'")
        tabs: Sequence[Page] = [first, *[await browser.page(f"{live.url}/graphql", beside=first) for _ in range(3)]]
        await first.run(
            "localStorage.setItem('gateway.session', JSON.stringify("
            "{...JSON.parse(localStorage.getItem('gateway.session')), stale: 0}))"
        )
        me = json.dumps({"query": "{ me { username } }"})
        asked = (
            "Promise.all([1, 2, 3].map(() => session.fetch('/graphql', {method: 'POST', headers: "
            f"{{'Content-Type': 'application/json'}}, body: {json.dumps(me)}}}).then(answer => answer.status)))"
        )

        assert await asyncio.gather(*(each.run(asked) for each in tabs)) == [[200, 200, 200]] * 4
        assert refreshes(*tabs) == 1
        assert await kept(first) is not None


async def test_session_that_was_ended_elsewhere_leads_to_the_button_again(live: LiveServer) -> None:
    async with opened(f"{live.url}/graphql") as page:
        await sign_in(page, live.username, live.password)
        await page.wait_for(f"{WHO} === 'demo'")
        session = await kept(page)
        assert session is not None
        headers = {"Authorization": f"Bearer {session['access']}"}
        async with httpx.AsyncClient() as client:
            (await client.post(f"{live.url}/api/v1/auth/logout", headers=headers)).raise_for_status()

        answer = await ask(page, "{ me { username } }")
        assert answer["errors"][0]["extensions"]["code"] == "unauthenticated"
        assert await kept(page) is None
        assert await page.run("!document.getElementById('sign-in-open').hidden")


async def test_token_goes_to_nobody_else(live: LiveServer) -> None:
    async with opened(f"{live.url}/graphql") as page:
        await sign_in(page, live.username, live.password)
        await page.wait_for(f"{WHO} === 'demo'")
        # Where the policy let it out at all, it would be without the token.
        await page.run(
            "window.sent = []; const real = window.fetch;"
            "window.fetch = (url, options) => (sent.push([url, {...(options?.headers ?? {})}]), real(url, options));"
            "session.fetch('https://stranger.example/').catch(() => null)"
        )
        assert await page.run("sent") == [["https://stranger.example/", {}]]
        await page.wait_for("true")
        assert page.blocked == ["https://stranger.example/"] or page.errors != []
