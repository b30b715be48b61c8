"""Behind the real PgBouncer, whose pool is smaller than what asks it: everything is answered, with the right rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from services.catalogue import Catalogue
from services.engine.gateway import Gateway
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES
from tests.support.databases import empty_database, run_sql
from tests.support.faces import Face
from tests.support.poolers import PGBOUNCER, pgbouncer
from tests.support.programs import gateway_command, started
from tests.support.server import environment, free_port

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")

CLIENTS = 8
ROUNDS = 6
MODES = {"session": ("session", "session", 30), "transaction": ("transaction", "", 4), "untold": ("session", "", 30)}
"""PgBouncer's mode, what the setting says, and the size of its pool."""
WAITING = "select count(*) filter (where state = 'succeeded'), count(*) filter (where state <> 'succeeded') from jobs"


@pytest.fixture(params=list(MODES.values()), ids=list(MODES))
def mode(request: pytest.FixtureRequest) -> tuple[str, str, int]:
    """Each way to be behind it."""
    found: tuple[str, str, int] = request.param
    return found


def serving(settings: Settings, url: str, pooler: str, folder: Path, stack: ExitStack) -> list[str]:
    """The addresses of two gateways behind the pooler, which migrate the database; the first has a worker."""
    found = []
    for number in range(2):
        port = free_port()
        env = {
            **environment(settings), "DATABASE_URL": url, "DATABASE_POOLER": pooler, "DATABASE_POOL_SIZE": "4",
            "DATABASE_READ_POOL_SIZE": "3", "JOBS_IN_PROCESS": str(number == 0), "DATA_DIR": str(folder),
            "PLAN_ON_SIGHT": "1", "LOG_LEVEL": "WARNING", "MAILS_PER_SENDER": "1000/minute",
        }  # fmt: skip
        address, log = f"http://127.0.0.1:{port}", folder / f"log{number}"
        command = ("gateway", "serve", "--port", str(port))
        stack.enter_context(started(*command, env=env, log=log, ready=f"{address}/health/ready"))
        found.append(address)
    return found


async def test_reads_and_writes_of_many_clients_are_right(
    settings: Settings, gateway: Gateway, mode: tuple[str, str, int], tmp_path: Path
) -> None:
    kind, pooler, size = mode
    async with empty_database(settings) as direct:
        with ExitStack() as stack:
            url = stack.enter_context(pgbouncer(direct, kind, size))
            servers = await asyncio.to_thread(serving, settings, url, pooler, tmp_path, stack)
            asked = await asyncio.gather(*(work(number, servers, gateway.catalogue) for number in range(CLIENTS)))
            assert asked == [ROUNDS * 7] * CLIENTS
            await jobs_are_done(direct)
        logs = [(tmp_path / f"log{number}").read_text() for number in range(2)]
    assert not [line for log in logs for line in log.splitlines() if '"level":"error"' in line]
    assert [log.count('"event":"pooler_found"') for log in logs] == [0 if pooler else 1] * 2


async def work(number: int, servers: list[str], catalogue: Catalogue) -> int:
    """What one client does, on both faces and through both gateways; returns how many answers were as they must be."""
    async with httpx.AsyncClient(base_url=servers[0], timeout=60) as one, httpx.AsyncClient(
        base_url=servers[1], timeout=60
    ) as two:  # fmt: skip
        account = await sign_up((one, two)[number % 2])
        faces = [FACES[name](client, catalogue) for client in (one, two) for name in ("rest", "graphql")]
        return sum([await one_round(account, faces, number, each) for each in range(ROUNDS)])


async def one_round(account: Account, faces: list[Face], client: int, number: int) -> int:
    first, second, third, fourth = (faces[(client + number + place) % 4] for place in range(4))
    title = f"Wheel {client}-{number}"
    made = await first.ok("create_item", account, {"title": title})
    assert (await second.ok("get_item", account, id=made["id"]))["title"] == title
    assert (await third.ok("me", account))["id"] == account.id
    changed = await fourth.ok("update_item", account, {"title": f"{title} again"}, id=made["id"])
    assert (changed["id"], changed["title"], changed["version"]) == (made["id"], f"{title} again", 2)
    listed: dict[str, Any] = await second.ok("list_items", account, limit=100)
    titles = {each["title"] for each in listed["data"]}
    assert titles == {f"Wheel {client}-{each} again" for each in range(number + 1) if each % 2 or each == number}
    comment = await third.ok("create_comment", account, {"item_id": made["id"], "body": title})
    assert (comment["item_id"], comment["body"]) == (made["id"], title)
    if number % 2 == 0:
        await first.ok("delete_item", account, id=made["id"])
        assert (await fourth.call("get_item", account, id=made["id"])).problem == "not_found"
    else:
        assert (await first.ok("get_item", account, id=made["id"])) == changed
    return 7


async def jobs_are_done(url: str) -> None:
    """Wait until the worker behind the pooler has done what was asked for."""
    async with asyncio.timeout(30):
        while True:
            ((done, waiting),) = await run_sql(url, WAITING)
            if done and not waiting:
                return
            await asyncio.sleep(0.2)


REFUSED = {
    "none": ("transaction", "none", "is none, but 127.0.0.1:{port} is another kind of pooler"),
    "session": ("transaction", "session", "is session, but 127.0.0.1:{port} is another kind of pooler"),
    "statement": ("statement", "", "transaction blocks not allowed in statement pooling mode"),
}


@pytest.mark.parametrize(("kind", "pooler", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("command", ["migrate", "serve", "worker"])
def test_what_cannot_work_is_refused_in_a_sentence(
    settings: Settings, pooled: dict[str, str], command: str, kind: str, pooler: str, said: str
) -> None:
    env = {**environment(settings), "DATABASE_URL": pooled[kind], "DATABASE_POOLER": pooler}
    done = gateway_command(command, env=env)
    assert done.exit_code == 1
    assert said.format(port=pooled[kind].rpartition(":")[2].partition("/")[0]) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def pooled(settings: Settings) -> Iterator[dict[str, str]]:
    """The suite's database through PgBouncer, by mode."""
    with ExitStack() as stack:
        kinds = ("transaction", "statement")
        yield {kind: stack.enter_context(pgbouncer(settings.database_url, kind, 2)) for kind in kinds}
