"""What both faces do with items."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import select

from benchmarks.peers.fastapi_strawberry.database import sessions
from benchmarks.peers.fastapi_strawberry.models import Item, ItemStatus
from benchmarks.peers.fastapi_strawberry.policies import visible_items, workspaces_of


class ForbiddenError(Exception):
    """The user may not write in the workspace."""


class ItemCreate(BaseModel):
    """A new item."""

    workspace_id: UUID
    title: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    description: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    status: ItemStatus = ItemStatus.OPEN
    priority: Annotated[int, Field(ge=0, le=4)] = 0


async def get_item(user_id: UUID, key: UUID) -> Item | None:
    """The item, if the user sees it."""
    async with sessions() as session:
        found: Item | None = await session.scalar(visible_items(user_id).where(Item.id == key))
    return found


async def list_items(user_id: UUID, first: int, after: UUID | None) -> tuple[list[Item], bool]:
    """A page of the newest items, and whether there is another one."""
    page = visible_items(user_id).order_by(Item.id.desc()).limit(first + 1)
    if after is not None:
        page = page.where(Item.id < after)
    async with sessions() as session:
        rows = list((await session.scalars(page)).all())
    return rows[:first], len(rows) > first


async def create_item(user_id: UUID, data: ItemCreate) -> Item:
    """Create an item. Raises ForbiddenError."""
    async with sessions.begin() as session:
        writable = workspaces_of(user_id, "owner", "editor").subquery()
        if await session.scalar(select(writable).where(writable.c.workspace_id == data.workspace_id)) is None:
            raise ForbiddenError
        item = Item(creator_id=user_id, **data.model_dump())
        session.add(item)
    return item
