"""The pages: mails that are kept, and where links in mails lead."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from gateway.portal.account import PAGES
from gateway.settings import Settings
from services.catalogue import new_key
from services.engine.gateway import Gateway
from services.identity.mail.folder import MailFolder
from services.identity.mail.messages import MailKind, compose
from tests.conftest import make_settings
from tests.services.identity.conftest import PostOffice, address, token_of, user_of
from tests.support.accounts import Account, sign_in
from tests.support.apps import client_from, make_app
from tests.support.browser import Browser, chromium, find_chromium
from tests.support.faces import RestFace
from tests.support.factories import make_workspace
from tests.support.server import free_port

LINK = "http://127.0.0.1:8000/account/verify-email#token=abc"
SHOTS = os.environ.get("SCREENSHOTS", "")
"""A folder to put pictures of the pages into."""
PRODUCTION = {
    "ENVIRONMENT": "production", "SECRET_KEY": "c29tZSByYW5kb20gd29yZHMgZm9yIHRlc3Rz-8731", "REDIS_URL": "redis://x",
    "DATABASE_URL": "postgresql://x/y", "PASSWORD_HASH_TIME_COST": 3, "PASSWORD_HASH_MEMORY_KIB": 65536,
}  # fmt: skip


def client_of(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app), base_url="http://localhost")


def kept(folder: Path, name: str = '<script>alert("x")</script>') -> str:
    """Keep a mail; returns its name."""
    key = new_key()
    values = {"name": name, "hours": "24 hours"}
    mail = compose(
        MailKind.VERIFY_EMAIL, key=key, to="ada@example.com", sender="gateway@localhost", product="Gate <way>",
        link=LINK, values=values,
    )  # fmt: skip
    MailFolder(folder / "mail").keep(key.hex, mail.as_bytes())
    return key.hex


async def test_mails_are_listed_and_shown_as_text_and_in_a_frame_without_scripts(tmp_path: Path) -> None:
    async with client_of(make_app(make_settings(DATA_DIR=tmp_path))) as client:
        assert "There are none yet" in (await client.get("/dev/mail")).text
        first, second = kept(tmp_path), kept(tmp_path)
        listed = (await client.get("/dev/mail")).text
        assert re.findall(r'href="/dev/mail/([0-9a-f]+)"', listed) == [second, first]
        assert "Verify your address for Gate &lt;way&gt;" in listed
        shown = await client.get(f"/dev/mail/{first}")
    assert shown.status_code == 200
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="' in shown.text
    assert "<script" not in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert f'<a href="{LINK}" rel="noreferrer">' in shown.text


@pytest.mark.parametrize("name", ["x", "0" * 32, "..%2f..%2fsecret", "0" * 32 + ".eml", "%00"])
async def test_mail_that_is_not_there_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    async with client_of(make_app(make_settings(DATA_DIR=tmp_path))) as client:
        answer = await client.get(f"/dev/mail/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_mails_are_shown_to_nobody_far_away(tmp_path: Path) -> None:
    name, app = kept(tmp_path), make_app(make_settings(DATA_DIR=tmp_path))
    near: dict[str, str] = {"Host": "localhost:8000"}
    asked = [(where, near, 404) for where in ("11.0.0.7", "2a00:1450::1", "nonsense", "10.0.0.3")]
    asked += [("127.0.0.1", {"Host": host}, 200) for host in ("localhost:8000", "127.0.0.1:9000", "[::1]:8000")]
    asked += [("127.0.0.1", {"Host": host}, 404) for host in ("evil.example", "localhost.evil.example", "10.0.0.3")]
    asked += [("127.0.0.1", {**near, each: "8.8.8.8"}, 404) for each in ("X-Forwarded-For", "X-Real-IP", "Forwarded")]
    for where, headers, status in asked:
        async with client_from(app, where) as client:
            for path in ("/dev/mail", f"/dev/mail/{name}"):
                assert (await client.get(path, headers=headers)).status_code == status, (where, headers)
            # The start page leads there whom it would show them to.
            start = await client.get("/", headers=headers)
            assert (start.status_code, 'href="/dev/mail"' in start.text) == (200, status == 200), (where, headers)


@pytest.mark.parametrize("values", [PRODUCTION, {"SMTP_HOST": "mail.example.com"}])
async def test_there_is_no_such_page_in_production_or_with_a_mail_server(tmp_path: Path, values: object) -> None:
    assert isinstance(values, dict)
    name = kept(tmp_path)
    async with client_of(make_app(make_settings(DATA_DIR=tmp_path, **values))) as client:
        for path in ("/dev/mail", f"/dev/mail/{name}"):
            assert (await client.get(path)).status_code == 404
        start = await client.get("/")
        assert (start.status_code, "/dev/mail" in start.text) == (200, False)


async def test_pages_do_nothing_by_being_opened_and_tell_nobody_of_the_link(
    client: httpx.AsyncClient, ada: Account, post: PostOffice
) -> None:
    for name, page in PAGES.items():
        answer = await client.get(f"/account/{name}")
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert f"<h1>{page.title}</h1>" in answer.text
        assert "<button disabled>" in answer.text
        (action,) = re.findall(r'action="(/api/v1/[\w/-]+)"', answer.text)
        assert (await client.post(action, json={})).status_code in (401, 422)
    assert (await client.get("/account/anything")).status_code == 404


async def test_pages_are_there_for_what_there_is() -> None:
    modules = ["services.identity.users", "services.identity.auth", "services.identity.workspaces"]
    async with client_of(make_app(make_settings(MODULES=modules))) as client:
        for name in PAGES:
            assert (await client.get(f"/account/{name}")).status_code == 404


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[str]:
    """A gateway of these settings that a browser can open, in this loop; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(make_app(settings), port=port, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@pytest.mark.proof
@pytest.mark.skipif(find_chromium() is None, reason="there is no chromium on this machine")
async def test_newcomer_finds_the_mail_and_follows_it(
    settings: Settings, ada: Account, post: PostOffice, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (job,) = await post.waiting("deliver_mail", address(ada))
    own = settings.model_copy(update={"DATA_DIR": tmp_path})
    async with served(own) as url, chromium() as browser:
        await post.runner(account_url=f"{url}/account").run(job.id, job.ticket)
        mail = MailFolder(post.folder).mail(job.id.hex)
        assert mail is not None
        token = token_of(mail)
        await _follow(browser, url, job.id.hex, token, post, ada)
    said = capfd.readouterr().err
    assert "verify_email" in said
    assert token not in said


async def _follow(browser: Browser, url: str, name: str, token: str, post: PostOffice, ada: Account) -> None:
    mails = await browser.page(f"{url}/dev/mail")
    mail = await browser.page(await mails.run(f"document.querySelector('a[href$=\"{name}\"]').href"))
    assert await mail.run("document.querySelector('iframe').contentDocument") is None
    verify = await browser.page(await mail.run("document.querySelector('pre a').href"))
    assert (await user_of(post.gateway, ada)).email_verified is False
    await verify.click("#account button")
    await verify.wait_for("document.getElementById('outcome').textContent === 'The address is verified.'")
    assert "token" not in await verify.run("location.href")
    assert (await user_of(post.gateway, ada)).email_verified is True
    again = await browser.page(f"{url}/account/verify-email#token={token}")
    await again.click("#account button")
    await again.wait_for("document.getElementById('outcome').textContent.startsWith('This link is not good')")
    empty = await browser.page(f"{url}/account/reset-password")
    await empty.wait_for("document.getElementById('outcome').textContent.includes('not complete')")
    for page in (mails, mail, verify, empty):
        assert page.strangers(url) == []
        assert page.errors == []
        assert token not in " ".join(each.partition("#")[0] for each in page.requests)
    if SHOTS:
        for picture, page in {"mails": mails, "mail": mail, "verified": verify, "again": again, "reset": empty}.items():
            await page.screenshot(Path(SHOTS) / f"{picture}.png")


@pytest.mark.proof
@pytest.mark.skipif(find_chromium() is None, reason="there is no chromium on this machine")
async def test_invitation_and_new_password_are_followed_by_their_pages(
    settings: Settings, client: httpx.AsyncClient, gateway: Gateway, ada: Account, eve: Account, post: PostOffice
) -> None:
    rest = RestFace(client, gateway.catalogue)
    room = await make_workspace(rest, ada)
    await rest.ok("create_invitation", ada, {"workspace_id": room["id"], "email": address(eve)})
    await rest.ok("forgot_password", None, {"email": address(eve)})
    mails = {str(each["Subject"]).partition(" ")[0]: token_of(each) for each in await post.mails(address(eve))}
    invited, reset = mails[ada.username], mails["Choose"]
    async with served(settings) as url, chromium() as browser:
        page = await browser.page(f"{url}/account/reset-password#token={reset}")
        await page.type("input[name=new_password]", "another horse")
        await page.click("#account button")
        await page.wait_for("document.getElementById('outcome').textContent.startsWith('The password is changed')")
        # The page leads on to a sign-in, which works.
        assert await page.run("document.querySelector('#next a').checkVisibility()")
        await page.go(await page.run("document.querySelector('#next a').href"))
        await page.wait_for("document.getElementById('sign-in').open")
        await page.type("#sign-in [name=username]", eve.username)
        await page.type("#sign-in [name=password]", "another horse")
        await page.click("#sign-in [type=submit]")
        await page.wait_for(f"document.getElementById('who').textContent === '{eve.username}'")
        await page.click("#sign-out")
        await page.wait_for("performance.getEntriesByType('resource').some(e => e.name.endsWith('/auth/revoke'))")
        page = await browser.page(f"{url}/account/accept-invitation#token={invited}")
        await page.type("input[name=username]", eve.username)
        await page.type("input[name=password]", "another horse")
        await page.click("#account button")
        await page.wait_for("document.getElementById('outcome').textContent.startsWith('You are a member')")
        assert page.errors == []
        if SHOTS:
            await page.screenshot(Path(SHOTS) / "joined.png")
    tokens = await sign_in(client, eve.username, "another horse")
    again = replace(eve, tokens=tokens)
    assert (await rest.ok("get_workspace", again, id=room["id"]))["id"] == room["id"]
    # The page has signed out again.
    assert len((await rest.ok("list_sessions", again))["data"]) == 1
