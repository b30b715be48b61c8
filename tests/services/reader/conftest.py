"""Two applications over one database: one reads by compiled plans, the other by resolvers, the reference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from graphql import GraphQLSchema

from gateway.settings import Settings
from graphql_schema.schema.schema import build_schema
from services.engine.gateway import Gateway
from tests.support.apps import Running, running
from tests.support.generated.crowd import build_crowd
from tests.support.generated.material import Material, gather_material
from tests.support.generated.village import Caller, Village, build_village
from tests.support.two_paths import cloned_database, on_path, validated_once


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


@pytest.fixture(scope="session")
async def pair(settings: Settings, worker: str) -> AsyncIterator[Pair]:
    """The two, over a database in which nothing else is done."""
    async with cloned_database(settings, f"gateway_equality_{worker}") as url, validated_once():
        compiled, reference = (on_path(settings, url, compiled=each) for each in (True, False))
        async with running(compiled) as one, running(reference) as other:
            yield await _pair(one, other, await build_village(one.gateway))


@pytest.fixture(scope="session")
async def twins(settings: Settings, worker: str) -> AsyncIterator[Pair]:
    """The two, each over a database of its own, in which the same is done."""
    names = [f"gateway_twin_{number}_{worker}" for number in (1, 2)]
    async with (
        cloned_database(settings, names[0]) as url,
        cloned_database(settings, names[1]) as other_url,
        validated_once(),
    ):
        compiled, reference = on_path(settings, url, compiled=True), on_path(settings, other_url, compiled=False)
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
        cloned_database(settings, f"gateway_crowd_{worker}") as url,
        running(on_path(settings, url, compiled=True)) as found,
    ):
        yield Crowd(found, await build_crowd(found.gateway))
