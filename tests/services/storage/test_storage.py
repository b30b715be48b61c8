"""Units of work, counted statements, and what PostgreSQL refuses, as Problems."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from services.catalogue import Actor, Problem, new_key
from services.engine.gateway import Gateway
from services.engine.writes import Write
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role, Workspace
from services.process import observation
from services.storage.base import Base
from services.storage.constraints import problem_of
from services.storage.database import Database
from tests.support.accounts import Account


@pytest.fixture
def database(gateway: Gateway) -> Database:
    return gateway.database


def user(**changes: Any) -> User:
    name = f"stored-{new_key().hex[-10:]}"
    given = {"id": new_key(), "email": f"{name}@example.com", "username": name, "password_hash": "!", **changes}
    return User(**given)


async def count(database: Database, key: UUID) -> int:
    async with database.reading() as session:
        return int((await session.execute(select(func.count()).where(User.id == key))).scalar_one())


async def test_unit_of_work_without_commit_leaves_nothing(database: Database) -> None:
    row = user()
    async with database.unit_of_work() as session:
        session.add(row)
        await session.flush()
    assert await count(database, row.id) == 0


async def test_unit_of_work_that_fails_leaves_nothing(database: Database) -> None:
    row = user()

    async def fail() -> None:
        async with database.unit_of_work() as session:
            session.add(row)
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await count(database, row.id) == 0


async def test_unit_of_work_with_commit_is_kept(database: Database) -> None:
    row = user()
    async with database.unit_of_work() as session:
        session.add(row)
        await session.commit()
    assert await count(database, row.id) == 1


async def test_statements_are_counted_for_the_request_in_progress(database: Database) -> None:
    with observation.Observation("outer") as outer:
        async with database.reading() as session:
            await session.execute(text("select 1"))
            with observation.Observation("inner") as inner:
                await session.execute(text("select 2"))
                await session.execute(text("select 3"))

        async def task() -> None:
            async with database.reading() as own:
                await own.execute(text("select 4"))

        await asyncio.gather(task(), task())
    assert (outer.statements, inner.statements) == (3, 2)


async def test_statements_outside_of_a_request_are_not_counted(database: Database) -> None:
    with observation.Observation("before") as before:
        pass
    async with database.reading() as session:
        await session.execute(text("select 1"))
    assert (before.statements, observation.current()) == (0, None)


async def test_each_read_is_a_transaction_of_its_own(database: Database) -> None:
    async with database.reading() as session:
        began = [(await session.execute(text("select transaction_timestamp()"))).scalar_one() for _ in range(2)]
    assert began[0] < began[1]


async def refused(database: Database, *rows: Any) -> tuple[str, dict[tuple[Any, ...], str]]:
    """The Problem that storing these rows amounts to: its code, and the codes of its fields."""
    async with database.unit_of_work() as session:
        session.add_all(rows)
        with pytest.raises(DBAPIError) as caught:
            await session.flush()
    problem = problem_of(caught.value, Base.metadata)
    assert problem is not None
    return problem.type.code, {error.path: error.code for error in problem.errors}


async def test_violated_constraint_names_its_fields(database: Database) -> None:
    twins = [user(username="Same-Name"), user(username="sAME-nAME")]
    assert await refused(database, *twins) == ("conflict", {("username",): "unique"})
    addresses = [user(email="A@example.com"), user(email="a@EXAMPLE.com")]
    assert await refused(database, *addresses) == ("conflict", {("email",): "unique"})
    assert await refused(database, user(username="x")) == ("validation_failed", {("username",): "range"})
    assert await refused(database, user(password_hash=None)) == ("validation_failed", {("password_hash",): "required"})
    homeless = Membership(workspace_id=new_key(), user_id=new_key(), role=Role.VIEWER)
    code, fields = await refused(database, homeless)
    assert code == "validation_failed"
    assert set(fields.values()) == {"not_found"}
    slug = Workspace(name="Engine", slug="Not A Slug")
    assert await refused(database, slug) == ("validation_failed", {("slug",): "range"})


async def test_row_that_something_refers_to_is_a_conflict(database: Database, gateway: Gateway, ada: Account) -> None:
    actor = Actor(ada.key, scopes=frozenset(gateway.catalogue.scopes))
    create = gateway.catalogue.operations["create_item"]
    await gateway.write(await gateway.admit(create, actor), Write(data={"title": "Refers to its creator"}))
    async with database.unit_of_work() as session:
        # The personal workspace would go with its user, and the item with it.
        own = Workspace.personal_user_id == ada.key
        await session.execute(update(Workspace).where(own).values(personal_user_id=None))
        with pytest.raises(DBAPIError) as caught:
            await session.execute(delete(User).where(User.id == ada.key))
    problem = problem_of(caught.value, Base.metadata)
    assert problem is not None
    assert (problem.type.code, problem.detail) == ("conflict", "Something else still refers to this.")


async def test_fault_of_ours_is_no_problem(database: Database) -> None:
    async with database.unit_of_work() as session:
        with pytest.raises(DBAPIError) as caught:
            await session.execute(text("select 1 / 0"))
    assert problem_of(caught.value, Base.metadata) is None


async def test_deadlock_is_a_conflict_to_try_again(database: Database) -> None:
    first, second = user(), user()
    async with database.unit_of_work() as session:
        session.add_all([first, second])
        await session.commit()

    async def lock(one: UUID, other: UUID, mine: asyncio.Event, theirs: asyncio.Event) -> Problem | None:
        async with database.unit_of_work() as session:
            await session.execute(text("set local deadlock_timeout = '10ms'"))
            await session.execute(select(User.id).where(User.id == one).with_for_update())
            mine.set()
            await theirs.wait()
            try:
                await session.execute(select(User.id).where(User.id == other).with_for_update())
            except DBAPIError as error:
                return problem_of(error, Base.metadata)
        return None

    left, right = asyncio.Event(), asyncio.Event()
    found = await asyncio.gather(lock(first.id, second.id, left, right), lock(second.id, first.id, right, left))
    details = [problem.detail for problem in found if problem is not None]
    assert details == ["Another change was under way at the same time. Try again."]
