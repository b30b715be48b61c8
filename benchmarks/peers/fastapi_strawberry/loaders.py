"""A loader for each relation: one statement for all that is asked for at the same time, in a session of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from aiodataloader import DataLoader
from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from benchmarks.peers.fastapi_strawberry.database import sessions
from benchmarks.peers.fastapi_strawberry.models import Comment, Item, ItemLabel, Label, User, Workspace
from benchmarks.peers.fastapi_strawberry.policies import (
    visible_comments,
    visible_items,
    visible_labels,
    visible_users,
    visible_workspaces,
)

Page = tuple[UUID, int]
"""The key of a parent, and how many rows are wanted below it."""


class Loaders:
    """The loaders of one request, which see what its user sees."""

    def __init__(self, user_id: UUID) -> None:
        self.users: DataLoader[UUID, User | None] = DataLoader(_one(User, visible_users(user_id)))
        self.items: DataLoader[UUID, Item | None] = DataLoader(_one(Item, visible_items(user_id)))
        self.workspaces: DataLoader[UUID, Workspace | None] = DataLoader(_one(Workspace, visible_workspaces(user_id)))
        self.comments: DataLoader[Page, list[Comment]] = DataLoader(
            _many(Comment, Comment.item_id, visible_comments(user_id))
        )
        self.children: DataLoader[Page, list[Item]] = DataLoader(_many(Item, Item.parent_id, visible_items(user_id)))
        self.labels: DataLoader[UUID, list[Label]] = DataLoader(_labels(user_id))


def _one(model: Any, visible: Select[Any]) -> Callable[[list[UUID]], Any]:
    async def load(keys: list[UUID]) -> list[Any]:
        async with sessions() as session:
            rows = {row.id: row for row in await session.scalars(visible.where(model.id.in_(keys)))}
        return [rows.get(key) for key in keys]

    return load


def _many(model: Any, parent: Any, visible: Select[Any]) -> Callable[[list[Page]], Any]:
    async def load(pages: list[Page]) -> list[list[Any]]:
        limits: dict[int, list[UUID]] = defaultdict(list)
        for key, first in pages:
            limits[first].append(key)
        found: dict[Page, list[Any]] = defaultdict(list)
        async with sessions() as session:
            for first, keys in limits.items():
                for row in await session.scalars(_newest(model, parent, visible, keys, first)):
                    found[getattr(row, parent.key), first].append(row)
        return [found[page] for page in pages]

    return load


def _newest(model: Any, parent: Any, visible: Select[Any], keys: Sequence[UUID], first: int) -> Select[Any]:
    """The newest `first` rows below each key."""
    place = func.row_number().over(partition_by=parent, order_by=model.id.desc()).label("place")
    numbered = visible.add_columns(place).where(parent.in_(keys)).subquery()
    row = aliased(model, numbered)
    return select(row).where(numbered.c.place <= first).order_by(row.id.desc())


def _labels(user_id: UUID) -> Callable[[list[UUID]], Any]:
    async def load(keys: list[UUID]) -> list[list[Label]]:
        pairs = (
            visible_labels(user_id)
            .add_columns(ItemLabel.item_id)
            .join(ItemLabel, ItemLabel.label_id == Label.id)
            .where(ItemLabel.item_id.in_(keys))
            .order_by(Label.id.desc())
        )
        found: dict[UUID, list[Label]] = defaultdict(list)
        async with sessions() as session:
            for label, item_id in await session.execute(pairs):
                found[item_id].append(label)
        return [found[key] for key in keys]

    return load
