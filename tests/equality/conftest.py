"""Two applications over one database: one reads by compiled plans, the other by resolvers, the reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

import pytest
from graphql import GraphQLSchema

from gateway.settings import Settings
from graphql_schema.documents import Documents, Prepared
from graphql_schema.schema import build_schema
from services.execution import Gateway
from tests.conftest import TEMPLATE, with_database
from tests.support.apps import Running, running
from tests.support.databases import run_sql
from tests.support.generated.crowd import build_crowd
from tests.support.generated.material import Material, gather_material
from tests.support.generated.village import Caller, Village, build_village


@dataclass(frozen=True)
class Pair:
    """Both applications, what is in their database, and the loop that they run in."""

    compiled: Running
    reference: Running
    village: Village
    material: Material
    schema: GraphQLSchema
    loop: asyncio.AbstractEventLoop

    @property
    def gateway(self) -> Gateway:
        """What is behind the compiled one."""
        return self.compiled.gateway


@dataclass(frozen=True)
class Crowd:
    """An application with many rows, and the one who may read them."""

    running: Running
    caller: Caller


@asynccontextmanager
async def _validated_once() -> AsyncIterator[None]:
    """Both applications validate each document, against equal schemas: the second takes what the first has found."""
    prepare, last = Documents._prepare, dict[str, Prepared]()

    def remembered(self: Documents, text: str) -> Prepared:
        if text not in last:
            last.clear()
            last[text] = prepare(self, text)
        return last[text]

    with patch.object(Documents, "_prepare", remembered):
        yield


@asynccontextmanager
async def _database(settings: Settings, name: str) -> AsyncIterator[str]:
    """The URL of a new database with empty tables, dropped at the end."""
    await run_sql(settings.database_url, f"drop database if exists {name} with (force)")
    await run_sql(settings.database_url, f"create database {name} template {TEMPLATE}")
    yield with_database(settings.database_dsn, name)
    await run_sql(settings.database_url, f"drop database {name} with (force)")


def _with(settings: Settings, url: str, *, compiled: bool) -> Settings:
    # Tokens must outlive the longest run.
    own = {"DATABASE_URL": url, "ACCESS_TOKEN_EXPIRE_MINUTES": 100_000, "COMPILED_READS": compiled, "PLAN_ON_SIGHT": 1}
    return Settings(_env_file=None, **{**settings.model_dump(), **own})


@pytest.fixture(scope="session")
async def pair(settings: Settings, worker: str) -> AsyncIterator[Pair]:
    """The two, over a database in which nothing else is done."""
    async with _database(settings, f"gateway_equality_{worker}") as url, _validated_once():
        compiled, reference = (_with(settings, url, compiled=each) for each in (True, False))
        async with running(compiled) as one, running(reference) as other:
            yield await _pair(one, other, await build_village(one.gateway))


@pytest.fixture(scope="session")
async def twins(settings: Settings, worker: str) -> AsyncIterator[Pair]:
    """The two, each over a database of its own, in which the same is done."""
    names = [f"gateway_twin_{number}_{worker}" for number in (1, 2)]
    async with _database(settings, names[0]) as url, _database(settings, names[1]) as other_url, _validated_once():
        compiled, reference = _with(settings, url, compiled=True), _with(settings, other_url, compiled=False)
        async with running(compiled) as one, running(reference) as other:
            await build_village(other.gateway)
            yield await _pair(one, other, await build_village(one.gateway))


async def _pair(one: Running, other: Running, village: Village) -> Pair:
    schema = build_schema(one.gateway.catalogue)._schema
    return Pair(one, other, village, await gather_material(other.gateway, village), schema, asyncio.get_running_loop())


@pytest.fixture(scope="session")
async def crowd(settings: Settings, worker: str) -> AsyncIterator[Crowd]:
    """An application that reads by compiled plans, with a hundred rows of everything."""
    async with (
        _database(settings, f"gateway_crowd_{worker}") as url,
        running(_with(settings, url, compiled=True)) as found,
    ):
        yield Crowd(found, await build_crowd(found.gateway))
