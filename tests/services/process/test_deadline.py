"""Requests that take too long are given up, down to the statement in PostgreSQL, and leave everything whole.

Time is up when a test says so, not after a while: so nothing here depends on how busy the machine is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.asgi.deadline import RequestDeadline
from gateway.asgi.faults import write_problem
from gateway.settings import Settings
from services.catalogue import Problem
from services.identity.auth.passwords import Passwords
from services.process.deadline import Deadline, DeadlineError, hold, remaining
from services.storage import database
from services.storage.database import SERVER_SETTINGS
from tests.support.accounts import Account, sign_up
from tests.support.apps import FACES, Running, running
from tests.support.factories import make_item

T = TypeVar("T")

NAME = f"deadline-{uuid4().hex[:8]}"
"""What the backends of this gateway are called."""
MUTATION = """mutation($input: CreateItemInput!) {
    a: createLabel(input: {name: "first"}) { label { name } }
    b: createItem(input: $input) { item { id } }
    c: createLabel(input: {name: "third"}) { label { name } }
}"""


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "general"])
async def hasty(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A gateway whose connections bear a name of their own."""
    changed = {"COMPILED_READS": request.param, "PLAN_ON_SIGHT": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "SERVER_SETTINGS", {**SERVER_SETTINGS, "application_name": NAME})
        async with running(settings.model_copy(update=changed)) as found:
            yield found


class Clock:
    """Every deadline that is entered while it exists."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        entered, self.deadlines = Deadline.__enter__, list[Deadline]()

        def noted(deadline: Deadline) -> Deadline:
            self.deadlines.append(deadline)
            return entered(deadline)

        monkeypatch.setattr(Deadline, "__enter__", noted)

    def strike(self) -> None:
        """Time is up, for everybody."""
        now = asyncio.get_running_loop().time()
        for each in self.deadlines:
            each.when = now
            if not (each.held or each.expired or each._task.done()):
                each.expire()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What says when time is up."""
    return Clock(monkeypatch)


@pytest.fixture
async def somebody(hasty: Running) -> Account:
    """Somebody signed in there, with an item."""
    found = await sign_up(hasty.client)
    await make_item(hasty.face("rest"), found)
    return found


@asynccontextmanager
async def locked(settings: Settings, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody gets at the table while the block lasts; gives a connection that sees what the others do."""
    holder, watcher = [await asyncpg.connect(settings.database_url) for _ in range(2)]
    try:
        async with holder.transaction():
            await holder.execute(f"lock table {table} in access exclusive mode")
            yield watcher
    finally:
        await holder.close()
        await watcher.close()


async def waiting(watcher: asyncpg.Connection, number: int) -> None:
    """Wait until so many backends of the gateway wait for the lock."""
    async with asyncio.timeout(4):
        while number > await watcher.fetchval(  # noqa: ASYNC110 - PostgreSQL tells nobody
            "select count(*) from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'", NAME
        ):
            await asyncio.sleep(0.01)


async def given_up(clock: Clock, watcher: asyncpg.Connection, asked: Sequence[Awaitable[T]], number: int) -> list[T]:
    """What is answered when time is up while `number` of the requests wait for the lock, which is still held then."""
    tasks = [asyncio.ensure_future(each) for each in asked]
    await waiting(watcher, number)
    clock.strike()
    answers = await asyncio.gather(*tasks)
    await settled(watcher)
    return answers


async def settled(watcher: asyncpg.Connection) -> None:
    """Wait until no backend of the gateway runs a statement; fails if one goes on."""
    async with asyncio.timeout(3):  # locks are waited for for 5 seconds, statements run for up to 30
        while await watcher.fetchval(  # noqa: ASYNC110 - PostgreSQL tells nobody
            "select count(*) from pg_stat_activity where application_name = $1 and state <> 'idle'", NAME
        ):
            await asyncio.sleep(0.02)


async def whole(gateway: Running) -> None:
    """Every connection is free again (its transaction may end after the answer), and answers."""
    pool, engine = gateway.gateway.database.engine.pool, gateway.gateway.reader
    async with asyncio.timeout(3):
        while pool.checkedout():  # type: ignore[attr-defined]  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.01)
    if engine is not None:
        reads = engine.pool
        await asyncio.gather(*reads._settling)
        assert (len(reads._idle), len(reads._waiting)) == (6, 0)


@pytest.mark.parametrize("face", FACES)
async def test_fifty_reads_that_take_too_long_are_cancelled_in_postgresql(
    hasty: Running, settings: Settings, somebody: Account, clock: Clock, face: str
) -> None:
    one = hasty.face(face)
    assert len((await one.ok("list_items", somebody))["data"]) == 1
    async with locked(settings, "items") as watcher:
        answers = await given_up(clock, watcher, [one.call("list_items", somebody) for _ in range(50)], 6)
        assert {(each.problem, each.status) for each in answers} == {("deadline_exceeded", 504)}
        await whole(hasty)
    again = await asyncio.gather(*(one.ok("list_items", somebody) for _ in range(50)))
    assert [len(each["data"]) for each in again] == [1] * 50


@pytest.mark.parametrize("face", FACES)
async def test_fifty_writes_that_take_too_long_are_not_done(
    hasty: Running, settings: Settings, somebody: Account, clock: Clock, face: str
) -> None:
    one = hasty.face(face)
    async with locked(settings, "items") as watcher:
        asked = [one.call("create_item", somebody, {"title": "Never"}) for _ in range(50)]
        answers = await given_up(clock, watcher, asked, 10)
        assert {(each.problem, each.status) for each in answers} == {("deadline_exceeded", 504)}
        await whole(hasty)
    titles = [each["title"] for each in (await one.ok("list_items", somebody))["data"]]
    assert (len(titles), "Never" in titles) == (1, False)
    assert (await one.ok("create_item", somebody, {"title": "Now"}))["title"] == "Now"


async def test_answer_has_the_form_of_its_face(
    hasty: Running, settings: Settings, somebody: Account, clock: Clock
) -> None:
    headers, body = somebody.headers, {"query": "{ items { totalCount } }"}
    async with locked(settings, "items") as watcher:
        rest, graph = await given_up(clock, watcher, [
            hasty.client.get("/api/v1/items", headers=headers),
            hasty.client.post("/graphql", json=body, headers=headers),
        ], 2)  # fmt: skip
    assert (rest.status_code, rest.headers["content-type"]) == (504, "application/problem+json")
    assert (graph.status_code, graph.headers["content-type"]) == (504, "application/json")
    assert graph.json()["errors"][0]["extensions"] == rest.json()
    assert rest.json()["detail"] == "This was not done within 25 seconds, and has been given up."
    assert "data" not in graph.json()


@pytest.mark.parametrize("face", FACES)
async def test_write_past_its_commit_is_answered_as_done(
    hasty: Running, somebody: Account, clock: Clock, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AsyncSession.commit

    async def slow(session: AsyncSession) -> None:
        clock.strike()
        await commit(session)
        for _ in range(3):
            await asyncio.sleep(0)

    monkeypatch.setattr(AsyncSession, "commit", slow)
    made = await hasty.face(face).ok("create_label", somebody, {"name": f"slow {face}"})
    assert made["name"] == f"slow {face}"


async def test_fields_of_a_mutation_that_were_done_are_told_with_those_that_were_not(
    hasty: Running, settings: Settings, somebody: Account, clock: Clock
) -> None:
    body = {"query": MUTATION, "variables": {"input": {"title": "Never"}}}
    async with locked(settings, "items") as watcher:
        asked = [hasty.client.post("/graphql", json=body, headers=somebody.headers)]
        answer = (await given_up(clock, watcher, asked, 1))[0].json()
        await whole(hasty)
    assert answer["data"] == {"a": {"label": {"name": "first"}}, "b": None, "c": None}
    assert [(each["path"], each["extensions"]["code"]) for each in answer["errors"]] == [
        (["b"], "deadline_exceeded"), (["c"], "deadline_exceeded"),
    ]  # fmt: skip
    rest = hasty.face("rest")
    assert [each["name"] for each in (await rest.ok("list_labels", somebody))["data"]] == ["first"]
    assert "Never" not in [each["title"] for each in (await rest.ok("list_items", somebody))["data"]]


async def test_body_that_does_not_come_is_not_waited_for(hasty: Running, clock: Clock) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        clock.strike()
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/graphql", "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"100")], "client": ("192.0.2.1", 1),
    }  # fmt: skip
    await hasty.app(scope, receive, send)
    assert sent[0]["status"] == 504
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_answer_that_has_begun_is_left_to_end() -> None:
    sent: list[Any] = []

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"end"})

    async def send(message: Any) -> None:
        sent.append(message)

    await RequestDeadline(stream, 0.01, write_problem)({"type": "http", "path": "/"}, None, send)  # type: ignore[arg-type]
    assert [each.get("status", each.get("body")) for each in sent] == [200, b"end"]


async def test_commit_is_not_begun_when_time_is_up() -> None:
    reached: list[str] = []

    async def work() -> None:
        with Deadline(60) as deadline:
            # Time runs out while nothing is awaited: the cancellation is under way, and can only arrive at an await.
            deadline.expire()
            await hold()
            reached.append("commit")

    with pytest.raises(DeadlineError):
        await work()
    assert reached == []


async def test_what_follows_a_commit_is_not_cut_short_but_what_is_begun_then_is() -> None:
    reached: list[str] = []
    with Deadline(0.03):
        await hold()
        await asyncio.sleep(0.06)
        reached.append("answer")
        with pytest.raises(Problem) as raised, remaining():
            reached.append("more")
    assert reached == ["answer"]
    assert raised.value.type.code == "deadline_exceeded"


async def test_task_of_its_own_has_the_same_deadline() -> None:
    async def other() -> str:
        try:
            with remaining():
                await asyncio.Event().wait()
        except DeadlineError:
            return "given up"
        return "done"

    with Deadline(0.02) as deadline:
        task = asyncio.create_task(other())
        deadline.hold()  # the request itself goes on
        assert await task == "given up"


async def test_cancellation_from_elsewhere_is_not_taken_for_a_deadline() -> None:
    async def work() -> None:
        with Deadline(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_place_of_a_hash_is_taken_until_its_thread_is_done(hasty: Running) -> None:
    passwords, go_on = hasty.gateway.part(Passwords), threading.Event()
    with pytest.raises(DeadlineError), Deadline(0.02):
        await passwords._work(lambda: go_on.wait(5))
    assert len(passwords.pending) == 1
    go_on.set()
    async with asyncio.timeout(5):
        while passwords.pending:  # noqa: ASYNC110 - a thread has no event
            await asyncio.sleep(0.005)
    assert await passwords.verify("right", await passwords.hash("right")) == (True, None)


async def test_redis_that_was_given_up_answers_others_rightly(hasty: Running) -> None:
    redis = hasty.gateway.part(Redis)

    async def wait() -> None:
        with Deadline(0.02):
            await redis.blpop([f"nothing {NAME}"], 1)

    left = await asyncio.gather(*(wait() for _ in range(20)), return_exceptions=True)
    # Where the machine is busy, Redis may have been given up for being slow before.
    assert {type(each) for each in left} <= {DeadlineError, RedisTimeoutError}
    assert await asyncio.gather(*(redis.echo(f"{number}") for number in range(20))) == [
        f"{number}".encode() for number in range(20)
    ]
