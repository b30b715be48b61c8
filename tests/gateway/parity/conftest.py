"""The proof, by calls in a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.parity.judging.proof import Proof
from gateway.settings import Settings
from tests.conftest import TEMPLATE, with_database
from tests.support.databases import run_sql
from tests.support.proving import prepared


@pytest.fixture(scope="module")
async def proof(settings: Settings, worker: str) -> AsyncIterator[Proof]:
    """A proof of the gateway with its sample."""
    name = f"gateway_parity_{worker}"
    await run_sql(settings.database_url, f"drop database if exists {name} with (force)")
    await run_sql(settings.database_url, f"create database {name} template {TEMPLATE}")
    wanted = Settings(
        _env_file=None, **{**settings.model_dump(), "DATABASE_URL": with_database(settings.database_url, name)}
    )
    async with prepared(wanted) as found:
        yield found
    await run_sql(settings.database_url, f"drop database {name} with (force)")
