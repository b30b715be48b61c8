"""An application whose memory of plans is small."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.routing import Route

from gateway.settings import Settings
from graphql_schema.execution.compiled import CompiledOperations
from graphql_schema.transport.endpoint import GraphQLEndpoint
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running


@pytest.fixture(scope="module")
async def small(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A gateway that plans on second sight, and remembers as many plans as the module's `SIZE` says."""
    changed = {"PLAN_CACHE_SIZE": request.module.SIZE, "PLAN_ON_SIGHT": 2, "COMPILED_READS": True}
    async with running(settings.model_copy(update=changed)) as found:
        yield found


@pytest.fixture
async def somebody(small: Running) -> Account:
    """Somebody signed in there."""
    return await sign_up(small.client)


@pytest.fixture
def compiled(small: Running) -> CompiledOperations:
    """What it remembers of documents."""
    routes = [each for each in small.app.router.routes if isinstance(each, Route) and each.path == "/graphql"]
    (endpoint,) = [each.app for each in routes if isinstance(each.app, GraphQLEndpoint)]
    return endpoint._executor._compiled
