"""Applications of a test's own, beside the one that the suite shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx
import strawberry
from fastapi import FastAPI
from sqlalchemy import update

from gateway.app import create_app
from gateway.settings import Settings
from graphql_schema.schema.schema import build_schema
from services.catalogue import Catalogue
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


@cache
def _catalogue(modules: tuple[str, ...]) -> Catalogue:
    return Catalogue.load(modules)


@cache
def _schema(catalogue: Catalogue, **chosen: Any) -> strawberry.Schema:
    return build_schema(catalogue, **chosen)


def make_app(settings: Settings) -> FastAPI:
    """An application of these settings; those of one process share the catalogue and the schema of equal settings.

    Whoever has changed a declaration calls `create_app`, which builds both anew.
    """
    with patch("gateway.app.build_schema", _schema):
        return create_app(settings, _catalogue(tuple(settings.MODULES)))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """An application of these settings, started."""
    app = make_app(settings)
    async with app.router.lifespan_context(app), client_from(app) as client:
        yield Running(app, app.state.gateway, client)


async def make_admin(gateway: Gateway, client: httpx.AsyncClient, account: Account) -> Account:
    """The account with an admin's rights, signed in anew."""
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(User).where(User.id == account.key).values(is_superuser=True))
        await session.commit()
    tokens = await sign_in(client, account.username, account.password)
    return Account(account.id, account.username, account.password, tokens)
