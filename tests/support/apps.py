"""Applications of a test's own, beside the one that the suite shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import update

from gateway.app import create_app
from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.identity.users.models import User
from tests.support.accounts import Account, sign_in
from tests.support.faces import Face, GraphQLFace, RestFace

FACES: dict[str, type[Face]] = {"rest": RestFace, "graphql": GraphQLFace}


@dataclass(frozen=True)
class Running:
    """A started application, what is behind its faces, and a client from an address of its own."""

    app: FastAPI
    gateway: Gateway
    client: httpx.AsyncClient

    def face(self, name: str) -> Face:
        """`rest` or `graphql`."""
        return FACES[name](self.client, self.gateway.catalogue)


def client_from(app: FastAPI, address: str | None = None, agent: str = "tests") -> httpx.AsyncClient:
    """A client from this network address; without one, from a network that nobody else has."""
    host = address or f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(host, 50_000))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test", headers={"User-Agent": agent})


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """An application of these settings, started."""
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_from(app) as client:
        yield Running(app, app.state.gateway, client)


async def make_admin(gateway: Gateway, client: httpx.AsyncClient, account: Account) -> Account:
    """The account with an admin's rights, signed in anew."""
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == account.key).values(is_superuser=True))
        await session.commit()
    tokens = await sign_in(client, account.username, account.password)
    return Account(account.id, account.username, account.password, tokens)
