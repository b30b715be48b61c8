"""The log of a lively hour at DEBUG holds no password, token, key or hash, and one line for each request."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from sqlalchemy import select

from gateway.logging import configure_logging
from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.auth.passwords import Passwords
from services.identity.users.models import User
from tests.support.accounts import Account
from tests.support.apps import Running, running

PASSWORD, NEW_PASSWORD, WRONG = "Gl4ss-Onion-Parade", "Vel0cipede-Harvest", "Wr0ng-Marmalade"
BODY_PASSWORD = "Br0ken-Body-Lantern"
LOGIN = "mutation($input: LoginInput!) { login(input: $input) { tokenPair { accessToken refreshToken } } }"


@dataclass
class Watched:
    """An application whose log is kept, and every secret that went through it."""

    running: Running
    log: io.StringIO
    secrets: set[str] = field(default_factory=lambda: {PASSWORD, NEW_PASSWORD, WRONG, BODY_PASSWORD})

    @property
    def client(self) -> httpx.AsyncClient:
        return self.running.client

    async def post(self, path: str, expect: int, **options: Any) -> Any:
        """Send a request; its tokens are secrets from now on."""
        answer = await self.client.post(path, **options)
        assert answer.status_code == expect, answer.text
        body = answer.json() if answer.content else {}
        self.secrets |= {value for name, value in body.items() if name.endswith("_token")}
        return body

    def leaks(self) -> dict[str, str]:
        """Secrets in the log, or their tails, with the first line that has them."""
        lines = self.log.getvalue().splitlines()
        tails = {secret: secret[-24:] for secret in self.secrets}
        return {secret: line for secret, tail in tails.items() for line in lines if tail in line}

    def lines(self, logger: str) -> list[dict[str, Any]]:
        """What this logger has written."""
        found = [orjson.loads(line) for line in self.log.getvalue().splitlines()]
        return [each for each in found if each["logger"] == logger]


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[Watched]:
    """Not a fixture: pytest puts its own stderr back between a fixture and its test."""
    log = io.StringIO()
    with redirect_stderr(log):
        async with running(settings.model_copy(update={"LOG_LEVEL": "DEBUG"})) as found:
            yield Watched(found, log)
    configure_logging(settings.LOG_LEVEL, settings.log_format)


async def account(watched: Watched) -> Account:
    name = f"watched-{uuid4().hex[:8]}"
    person = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    made = await watched.post("/api/v1/users", 201, json=person)
    tokens = await watched.post("/api/v1/auth/login", 200, data={"username": name, "password": PASSWORD})
    return Account(made["id"], name, PASSWORD, tokens)


async def sign_in_and_out(watched: Watched) -> None:
    ada = await account(watched)
    rotated = await watched.post("/api/v1/auth/refresh", 200, json={"refresh_token": ada.tokens["refresh_token"]})
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    await watched.post("/api/v1/auth/change-password", 204, json=change, headers=ada.headers)
    data = {"input": {"username": ada.username, "password": NEW_PASSWORD}}
    body = await watched.post("/graphql", 200, json={"query": LOGIN, "variables": data})
    watched.secrets |= set(body["data"]["login"]["tokenPair"].values())
    given = f'username: "{ada.username}", password: "{WRONG}"'
    inline = f"mutation {{ login(input: {{{given}}}) {{ tokenPair {{ scope }} }} }}"
    await watched.post("/graphql", 200, json={"query": inline})
    await watched.post("/api/v1/auth/refresh", 200, json={"refresh_token": rotated["refresh_token"]})
    await watched.post("/api/v1/auth/refresh", 401, json={"refresh_token": ada.tokens["refresh_token"]})
    await watched.post("/api/v1/auth/refresh", 401, json={"refresh_token": rotated["refresh_token"]})


async def bad_credentials(watched: Watched) -> None:
    ada = await account(watched)
    await watched.post("/api/v1/auth/login", 401, data={"username": ada.username, "password": WRONG})
    forged = ada.tokens["access_token"][:-8] + "AAAAAAAA"
    watched.secrets.add(forged)
    for value in (f"Bearer {forged}", f"Token {forged}", f"Basic {forged}", f"Bearer {ada.tokens['refresh_token']}"):
        answer = await watched.client.get("/api/v1/users/me", headers={"Authorization": value})
        assert answer.status_code == 401
    await watched.client.get(f"/api/v1/users/me?access_token={forged}", headers=ada.headers)
    await watched.client.get(f"/graphql?query={{me{{id}}}}&token={forged}")


async def bad_bodies(watched: Watched) -> None:
    person = {"email": "nobody", "username": "x", "password": [BODY_PASSWORD]}
    await watched.post("/api/v1/users", 422, json=person)
    await watched.post("/api/v1/users", 422, json={"password": BODY_PASSWORD * 10, "passwort": BODY_PASSWORD})
    await watched.post(
        "/api/v1/users", 400, content=f'{{"password": "{BODY_PASSWORD}"', headers={"Content-Type": "application/json"}
    )
    await watched.post("/api/v1/auth/login", 422, data={"username": "a", "password": BODY_PASSWORD, "more": "x"})
    await watched.post("/api/v1/auth/login", 422, data={"username": f"a\x00{BODY_PASSWORD}", "password": "x"})
    document = f'mutation {{ createUser(input: {{password: "{BODY_PASSWORD}", '
    await watched.post("/graphql", 200, json={"query": document})
    await watched.post("/graphql", 200, json={"query": LOGIN, "variables": {"input": {"password": [BODY_PASSWORD]}}})


async def faults(watched: Watched) -> None:
    """Faults of the gateway itself, on both faces."""
    ada = await account(watched)

    async def broken(*_: object) -> None:
        raise RuntimeError(f"cannot verify password={WRONG} for Bearer {ada.tokens['access_token']}")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Passwords, "verify", broken)
        credentials = {"username": ada.username, "password": PASSWORD}
        answer = await watched.client.post("/api/v1/auth/login", json=credentials)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert set(answer.json()) == {"type", "title", "status", "code", "detail", "request_id"}
        shown = await watched.client.post("/graphql", json={"query": LOGIN, "variables": {"input": credentials}})
        assert shown.json()["errors"][0]["extensions"]["code"] == "internal_error"
        assert WRONG not in answer.text + shown.text
    assert watched.log.getvalue().count("cannot verify") >= 2


async def stored_hashes(gateway: Gateway) -> set[str]:
    async with gateway.database.reading() as session:
        return set((await session.execute(select(User.password_hash))).scalars())


@pytest.mark.parametrize("happening", [sign_in_and_out, bad_credentials, bad_bodies, faults])
async def test_no_secret_reaches_the_log(settings: Settings, happening: Any) -> None:
    async with watching(settings) as watched:
        await happening(watched)
        watched.secrets |= {settings.secret_key} | await stored_hashes(watched.running.gateway)
    assert watched.leaks() == {}
    assert len(watched.lines("gateway.access")) >= 4


async def test_each_request_has_one_line_that_says_what_who_and_how(settings: Settings) -> None:
    async with watching(settings) as watched:
        ada = await account(watched)
        headers = {**ada.headers, "X-Request-ID": "one-line"}
        await watched.post("/api/v1/items", 201, json={"title": "A line"}, headers=headers)
    (line,) = [each for each in watched.lines("gateway.access") if each["request_id"] == "one-line"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/v1/items", 201)
    assert (line["operation"], line["actor"]) == ("create_item", ada.id)
    assert line["statements"] > 0
    assert line["ms"] > 0


async def test_line_of_a_document_lists_its_operations(settings: Settings) -> None:
    async with watching(settings) as watched:
        ada = await account(watched)
        headers = {**ada.headers, "X-Request-ID": "two-fields"}
        await watched.post("/graphql", 200, json={"query": "{ me { id } items { nodes { id } } }"}, headers=headers)
    (line,) = [each for each in watched.lines("gateway.access") if each["request_id"] == "two-fields"]
    assert (sorted(line["operation"].split(",")), line["actor"]) == (["list_items", "me"], ada.id)
