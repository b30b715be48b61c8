"""Real servers for the whole suite: started once, one database a worker cloned from a migrated template.

TEST_DATABASE_URL and TEST_REDIS_URL name servers to use instead of the embedded ones; the database user must be allowed
to create databases.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncpg
import httpx
import pytest
import uvloop
from fastapi import FastAPI
from sqlalchemy.engine import make_url

from gateway.embedded import embedded_servers
from gateway.embedded.valkey import Valkey, valkey_binary
from gateway.migrate import upgrade
from gateway.parity.report.matrix import Cells, parse, recorded_in
from gateway.serving.memory import calm_collector
from gateway.settings import Settings
from services.engine import gateway as execution
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.apps import make_app
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Team, make_team
from tests.support.sampling import begin, choose_seed, repeating, told
from tests.support.server import LiveServer, live_gateway

TEMPLATE = "gateway_template"
PROOFS = tuple(Path(__file__).parent / name for name in ("proofs", "conformance"))
_DATABASE, _REDIS = "GATEWAY_TEST_DATABASE", "GATEWAY_TEST_REDIS"

servers = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, in the process that starts the workers; they find them in the environment.

    Tests run on the event loop that Uvicorn chooses for the gateway. (pytest-asyncio's hook for loops would make a
    parameter of it, which tests without a loop lack: each of them would have the session's fixtures made anew.)
    """
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if hasattr(config, "workerinput"):
        return
    choose_seed()
    stack = config.stash[servers] = ExitStack()
    folder = Path(tempfile.mkdtemp(prefix="hg-tests-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    given = {
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or None,
        "REDIS_URL": os.environ.get("TEST_REDIS_URL") or None,
    }
    settings = make_settings(DATA_DIR=folder, **given)
    running = stack.enter_context(embedded_servers(settings))
    os.environ[_DATABASE], os.environ[_REDIS] = running.database_url, running.redis_url
    asyncio.run(_execute(running.database_url, f"drop database if exists {TEMPLATE}", f"create database {TEMPLATE}"))
    upgrade(make_settings(DATABASE_URL=with_database(running.database_url, TEMPLATE), REDIS_URL=running.redis_url))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop them."""
    if servers in config.stash:
        config.stash[servers].close()


def pytest_report_header() -> str:
    """What the proofs go through in this run."""
    return told()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is in a folder of proofs is a proof."""
    for each in items:
        if any(each.path.is_relative_to(folder) for folder in PROOFS):
            each.add_marker("proof")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Who takes a sample is marked."""
    begin(item.nodeid, is_marked=item.get_closest_marker("sampled") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A proof in which something is found says how to make it again."""
    report = yield
    if report.failed and item.get_closest_marker("sampled"):
        report.sections.append(("Again", repeating(item.nodeid)))
    return report


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: a test often waits for PostgreSQL, a clock, or another process."""
    return (os.cpu_count() or 1) + 1


def make_settings(**values: Any) -> Settings:
    """Settings for tests: cheap hashes, no limits in the way, nothing read from the environment."""
    cheap: dict[str, Any] = {"PASSWORD_HASH_TIME_COST": 1, "PASSWORD_HASH_MEMORY_KIB": 64}
    limits = {"LOGIN_ATTEMPTS_PER_ACCOUNT": "100/minute", "LOGIN_ATTEMPTS_PER_ADDRESS": "100000/minute"}
    limits |= {"MAILS_PER_SENDER": "100000/minute", "MAILS_PER_ADDRESS": "100000/minute"}
    limits |= {"BUDGET_PER_MINUTE": "0", "BUDGET_ANONYMOUS_PER_MINUTE": "0"}
    secret = {"SECRET_KEY": "a key for tests, of 32 bytes at least"}
    # Documents are planned when they are first seen, so that what is tested once is tested compiled.
    reads = {"COMPILED_READS": os.environ.get("TEST_COMPILED_READS", "true"), "PLAN_ON_SIGHT": 1}
    fixed = {"ENVIRONMENT": "test", "LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}
    return Settings(_env_file=None, **{**cheap, **limits, **secret, **reads, **fixed, **values})


def with_database(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def _execute(url: str, *statements: str) -> None:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


AUTHORIZATION = Path(__file__).parents[1] / "docs" / "authorization.md"


@pytest.fixture(scope="session", autouse=True)
def calm() -> Iterator[None]:
    """The collector has seen all of the suite once; every application that starts would have it look again."""
    with calm_collector(), patch("gateway.app.calm_collector", nullcontext):
        yield


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The worker's name: `gw0`, or `main` without workers."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "main"))


@pytest.fixture(scope="session")
def settings(worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings with a database and a Redis database of the worker's own."""
    base, name = os.environ[_DATABASE], f"gateway_test_{worker}"
    asyncio.run(_execute(base, f"drop database if exists {name}", f"create database {name} template {TEMPLATE}"))
    number = 1 + int(worker.removeprefix("gw")) % 15 if worker.startswith("gw") else 0
    redis = os.environ[_REDIS]
    redis = f"{redis}?db={number}" if redis.startswith("unix") else f"{redis.rstrip('/')}/{number}"
    files = tmp_path_factory.mktemp("files").as_uri()
    yield make_settings(DATABASE_URL=with_database(base, name), REDIS_URL=redis, FILES_URL=files)
    asyncio.run(_execute(base, f"drop database {name} with (force)"))


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    application = make_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session")
def gateway(app: FastAPI) -> Gateway:
    """What is behind the faces."""
    found: Gateway = app.state.gateway
    return found


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the application, in process."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as found:
        yield found


@pytest.fixture(autouse=True)
def statement_budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No operation may send more statements than it has declared."""
    exceeded: list[dict[str, Any]] = []
    logger = execution.log

    class Watched:
        def warning(self, event: str, **details: Any) -> None:
            if event == "statement_budget_exceeded":
                exceeded.append(details)
            logger.warning(event, **details)

        def __getattr__(self, name: str) -> Any:
            return getattr(logger, name)

    monkeypatch.setattr(execution, "log", Watched())
    yield
    assert exceeded == []


@pytest.fixture(params=["rest", "graphql"])
def face(request: pytest.FixtureRequest, client: httpx.AsyncClient, gateway: Gateway) -> Face:
    """Each face in turn."""
    return (RestFace if request.param == "rest" else GraphQLFace)(client, gateway.catalogue)


@pytest.fixture
def rest(client: httpx.AsyncClient, gateway: Gateway) -> RestFace:
    """The REST face."""
    return RestFace(client, gateway.catalogue)


@pytest.fixture
def graphql(client: httpx.AsyncClient, gateway: Gateway) -> GraphQLFace:
    """The GraphQL face."""
    return GraphQLFace(client, gateway.catalogue)


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> Account:
    """A user, signed in, with a personal workspace."""
    return await sign_up(client)


@pytest.fixture
async def eve(client: httpx.AsyncClient) -> Account:
    """Another user, who has nothing to do with the first."""
    return await sign_up(client)


@pytest.fixture(scope="session")
def live(settings: Settings) -> Iterator[LiveServer]:
    """A gateway in a process of its own, with demo data."""
    with live_gateway(settings, demo=True) as server:
        yield server


@pytest.fixture
def live_server(live: LiveServer) -> str:
    """Its address."""
    return live.url


@pytest.fixture
def demo_user(live: LiveServer) -> LiveServer:
    """Somebody who can sign in there (`username`, `password`)."""
    return live


@pytest.fixture
async def team(client: httpx.AsyncClient, face: Face) -> Team:
    """A workspace with an owner, an editor and a viewer, and an outsider."""
    return await make_team(client, face)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A server of the test's own, started; its socket's path has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="hg-vk-"))
    server = Valkey(valkey_binary(), folder / "data", folder / "s", durable=True)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def recorded() -> Cells:
    """The matrix that the documentation shows."""
    return parse(recorded_in(AUTHORIZATION.read_text(encoding="utf-8")))
