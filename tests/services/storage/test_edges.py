"""Foreign keys of whatever models, followed before PostgreSQL follows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Column, FromClause, Insert, MetaData, Table, Text, Uuid, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalogue import Catalogue, new_key
from services.catalogue.resources import Resource
from services.engine.gateway import Gateway
from services.storage.base import Base, utc_now
from services.storage.cascades import Cascades, DeletionObserver
from tests.support.statements import statements
from tests.support.woods import resource
from tests.support.woods.models import NOWHERE, Bird, Egg, Leaf, Nest, Tree

MODELS: Sequence[type[Base]] = (Tree, Leaf, Nest, Bird, Egg)
TABLES: list[Any] = [each.__table__ for each in MODELS]
NOTES = Table("woods_notes", MetaData(), Column("resource", Text), Column("id", Uuid), Column("changed", Text))
DEPTH = 30

Note = tuple[str, UUID, str]


@pytest.fixture
async def session(gateway: Gateway) -> AsyncIterator[AsyncSession]:
    """A transaction in which the woods are there, and with which they go."""
    async with gateway.database.unit_of_work() as found:
        connection = await found.connection()
        await connection.run_sync(Base.metadata.create_all, tables=TABLES)
        await connection.run_sync(NOTES.create)
        found.add(Tree(id=NOWHERE))
        await found.flush()
        yield found


@pytest.fixture
def cascades() -> Cascades:
    """Of a catalogue that knows the woods' resources and no others."""
    return Cascades(Catalogue([each for each in vars(resource).values() if isinstance(each, Resource)], []))


def noted(resource: Resource[Any], rows: FromClause, changed: Sequence[str]) -> Insert:
    columns = literal(resource.name), rows.c.id, literal(",".join(changed))
    return insert(NOTES).from_select(["resource", "id", "changed"], select(*columns))


WITNESS = DeletionObserver(noted, dict)


async def fell(cascades: Cascades, session: AsyncSession, tree: Tree) -> list[Note]:
    """Delete a tree; returns what the witness was told."""
    await cascades.follow(session, Tree, [tree.id], WITNESS)
    await session.delete(tree)
    await session.flush()
    session.expunge_all()
    return sorted((row.resource, row.id, row.changed) for row in await session.execute(select(NOTES)))


async def grown(session: AsyncSession, *rows: Base) -> None:
    session.add_all(rows)
    await session.flush()


async def left(session: AsyncSession, model: type[Base]) -> list[Any]:
    return list((await session.execute(select(model))).scalars())


def leaf(**columns: Any) -> Leaf:
    return Leaf(id=new_key(), **{"home_id": NOWHERE, **columns})


async def test_row_that_loses_what_it_refers_to_is_changed(cascades: Cascades, session: AsyncSession) -> None:
    tree, other = Tree(id=new_key()), Tree(id=new_key())
    await grown(session, tree, other)
    mine, theirs, at_home = leaf(tree_id=tree.id), leaf(tree_id=other.id), leaf(home_id=tree.id, tree_id=other.id)
    await grown(session, mine, theirs, at_home)
    before = {each.id: (each.version, each.updated_at) for each in (mine, theirs, at_home)}
    started = utc_now()
    assert await fell(cascades, session, tree) == sorted(
        [("leaf", mine.id, "tree_id"), ("leaf", at_home.id, "home_id")]
    )
    found = {each.id: each for each in await left(session, Leaf)}
    assert {key: (each.tree_id, each.home_id) for key, each in found.items()} == {
        mine.id: (None, NOWHERE), theirs.id: (other.id, NOWHERE), at_home.id: (other.id, NOWHERE)
    }  # fmt: skip
    assert (found[theirs.id].version, found[theirs.id].updated_at) == before[theirs.id]
    for key in (mine.id, at_home.id):
        assert found[key].version != before[key][0]
        assert found[key].updated_at > started > before[key][1]


async def test_row_that_goes_anyway_is_not_changed_first(cascades: Cascades, session: AsyncSession) -> None:
    tree = Tree(id=new_key())
    await grown(session, tree)
    nest = Nest(id=new_key(), tree_id=tree.id)
    await grown(session, nest)
    bird = Bird(id=new_key(), nest_id=nest.id)
    await grown(session, bird)
    # What lies in between is no resource: it is followed, and not told of.
    assert await fell(cascades, session, tree) == [("bird", bird.id, "")]
    assert await left(session, Bird) == await left(session, Nest) == []


async def test_rows_are_followed_however_deep_they_hang(
    cascades: Cascades, session: AsyncSession, gateway: Gateway
) -> None:
    trees = [Tree(id=new_key())]
    await grown(session, trees[0])
    for _ in range(DEPTH):
        below = [Tree(id=new_key(), parent_id=trees[-1].id) for _ in range(3)]
        await grown(session, *below)
        trees += below
    leaves = [leaf(tree_id=tree.id) for tree in trees]
    await grown(session, *leaves)
    with statements(gateway) as sent:
        found = await fell(cascades, session, trees[0])
    gone = [("tree", tree.id, "") for tree in trees[1:]]
    assert found == sorted([*gone, *(("leaf", each.id, "tree_id") for each in leaves)])
    # A look at each level of trees; what changes, what goes, the deletion, and what the test has asked.
    assert len(sent) == (DEPTH + 1) + 1 + 1 + 1 + 1


async def test_rows_that_refer_to_each_other_in_a_circle_go_once(cascades: Cascades, session: AsyncSession) -> None:
    tree = Tree(id=new_key())
    await grown(session, tree)
    nest = Nest(id=new_key(), tree_id=tree.id)
    await grown(session, nest)
    bird = Bird(id=new_key(), nest_id=nest.id)
    await grown(session, bird)
    egg = Egg(id=new_key(), bird_id=bird.id)
    await grown(session, egg)
    bird.egg_id = egg.id
    await session.flush()
    assert await fell(cascades, session, tree) == [("bird", bird.id, ""), ("egg", egg.id, "")]
    assert await left(session, Bird) == await left(session, Egg) == []


async def test_deletion_of_many_rows_is_followed_for_all(cascades: Cascades, session: AsyncSession) -> None:
    trees = [Tree(id=new_key()) for _ in range(3)]
    await grown(session, *trees)
    leaves = [leaf(tree_id=each.id) for each in trees]
    await grown(session, *leaves)
    assert set(await cascades.delete_where(session, Tree, Tree.id != NOWHERE)) == {each.id for each in trees}
    session.expunge_all()
    assert [each.tree_id for each in await left(session, Leaf)] == [None] * 3
    assert [each.id for each in await left(session, Tree)] == [NOWHERE]


async def test_rows_on_which_nothing_hangs_are_deleted_by_one_statement(
    cascades: Cascades, session: AsyncSession, gateway: Gateway
) -> None:
    await grown(session, leaf(), mine := leaf())
    with statements(gateway) as sent:
        assert await cascades.delete_where(session, Leaf, Leaf.id == mine.id) == [mine.id]
    assert len(sent) == 1
    assert await session.scalar(text("select count(*) from woods_leaves")) == 1
