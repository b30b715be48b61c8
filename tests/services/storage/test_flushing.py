"""One new row goes by a prepared statement, to the same effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, inspect, select, text

from services.catalogue import Problem, new_key
from services.engine.gateway import Gateway
from services.identity.users.models import User
from services.sample.labels.models import Label
from services.storage.flushing import flush
from services.storage.prepared import fetch_row
from tests.support.faces import RestFace
from tests.support.factories import key_of, make_workspace


@pytest.fixture
async def room(rest: RestFace, ada: Any) -> UUID:
    """The key of a workspace."""
    return key_of((await make_workspace(rest, ada))["id"])


@pytest.fixture(params=["prepared", "by SQLAlchemy"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """With somebody who listens to new rows, all of SQLAlchemy's unit of work is gone through."""
    heard: list[Any] = []

    def listen(mapper: Any, connection: Any, target: Any) -> None:
        heard.append(target)

    if request.param == "prepared":
        yield request.param
        return
    from services.storage import flushing

    event.listen(Label, "before_insert", listen)
    flushing._is_plain.cache_clear()
    try:
        yield request.param
        assert heard
    finally:
        event.remove(Label, "before_insert", listen)
        flushing._is_plain.cache_clear()


async def stored(gateway: Gateway, key: UUID) -> Any:
    """The row as PostgreSQL has it."""
    async with gateway.database.reading() as session:
        return (await session.execute(select(Label.__table__).where(Label.id == key))).mappings().one_or_none()


async def test_row_is_there_with_its_defaults_and_its_changes_are_tracked(
    gateway: Gateway, room: UUID, way: str
) -> None:
    label = Label(workspace_id=room, name="brass")
    async with gateway.database.unit_of_work() as session:
        session.add(label)
        await flush(session)
        assert inspect(label).persistent
        assert (label in session, [*session.dirty, *session.new]) == (True, [])
        assert label.created_at == label.updated_at
        label.name = "steel"
        await flush(session)
        await session.commit()
    row = await stored(gateway, label.id)
    assert (row["name"], row["color"], row["workspace_id"]) == ("steel", "#808080", room)
    assert row["updated_at"] > row["created_at"] == label.created_at


async def test_refused_row_is_a_problem_that_names_its_field(gateway: Gateway, room: UUID, way: str) -> None:
    key = new_key()

    async def add() -> None:
        async with gateway.database.unit_of_work() as session:
            session.add(Label(id=key, workspace_id=room, name="brass", color="red"))
            await flush(session)

    with pytest.raises(Problem) as raised:
        await add()
    assert [(each.path, each.code) for each in raised.value.errors] == [(("color",), "range")]
    assert await stored(gateway, key) is None


async def test_row_goes_with_its_transaction(gateway: Gateway, room: UUID, way: str) -> None:
    key = new_key()
    async with gateway.database.unit_of_work() as session:
        session.add(Label(id=key, workspace_id=room, name="brass"))
        await flush(session)
        await session.rollback()
    assert await stored(gateway, key) is None


async def test_statement_past_sqlalchemy_is_part_of_the_transaction(gateway: Gateway, room: UUID) -> None:
    insert = "insert into labels (id, workspace_id, name, created_at, updated_at) values ($1, $2, 'x', now(), now())"
    keys = [new_key(), new_key()]
    async with gateway.database.unit_of_work() as session:
        await fetch_row(session, insert, [keys[0], room])
        await session.rollback()
        # Another transaction, and perhaps another connection.
        await fetch_row(session, insert.replace("'x'", "'y'"), [keys[1], room])
        assert (await session.execute(text("select count(*) from labels where name = 'y'"))).scalar_one() >= 1
    assert [await stored(gateway, key) for key in keys] == [None, None]


async def test_several_rows_are_left_to_sqlalchemy(gateway: Gateway, room: UUID) -> None:
    labels = [Label(workspace_id=room, name=name) for name in ("brass", "steel")]
    async with gateway.database.unit_of_work() as session:
        session.add_all(labels)
        await flush(session)
        await session.commit()
    assert [(await stored(gateway, each.id))["name"] for each in labels] == ["brass", "steel"]


async def test_column_that_is_not_loaded_and_never_given_is_not_sent(gateway: Gateway) -> None:
    user = User(email=f"{new_key().hex}@example.com", username=f"u{new_key().hex[:20]}", password_hash="none")
    async with gateway.database.unit_of_work() as session:
        session.add(user)
        await flush(session)
        assert (user.full_name, user.is_active, user.is_superuser) == (None, True, False)
        await session.rollback()
