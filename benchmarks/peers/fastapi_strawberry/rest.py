"""The REST face."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import selectinload

from benchmarks.peers.fastapi_strawberry import items, models
from benchmarks.peers.fastapi_strawberry.auth import CurrentUser
from benchmarks.peers.fastapi_strawberry.database import sessions
from benchmarks.peers.fastapi_strawberry.policies import visible_items

router = APIRouter(prefix="/api/v1")


class Shown(BaseModel):
    """Base of what is shown of rows."""

    model_config = ConfigDict(from_attributes=True)


class ItemRead(Shown):
    """An item."""

    id: UUID
    workspace_id: UUID
    title: str
    description: str | None
    status: models.ItemStatus
    priority: int
    due_at: datetime | None
    creator_id: UUID
    assignee_id: UUID | None
    parent_id: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime


class LabelRead(Shown):
    """A label."""

    id: UUID
    workspace_id: UUID
    name: str
    color: str
    created_at: datetime
    updated_at: datetime


class AuthorRead(Shown):
    """A user; nobody's e-mail address is shown below a comment."""

    id: UUID
    username: str
    full_name: str | None
    created_at: datetime
    updated_at: datetime


class CommentRead(Shown):
    """A comment and who wrote it."""

    id: UUID
    item_id: UUID
    author_id: UUID
    body: str
    created_at: datetime
    updated_at: datetime
    author: AuthorRead


class ItemDetail(ItemRead):
    """An item with its labels and comments."""

    labels: list[LabelRead]
    comments: list[CommentRead]


class ItemList(BaseModel):
    """A page of items."""

    data: list[ItemRead]
    has_next: bool


@router.get("/items")
async def list_items(
    user_id: CurrentUser, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: UUID | None = None
) -> ItemList:
    """The newest items."""
    rows, more = await items.list_items(user_id, limit, after)
    return ItemList(data=[ItemRead.model_validate(row) for row in rows], has_next=more)


@router.post("/items", status_code=201)
async def create_item(user_id: CurrentUser, data: items.ItemCreate) -> ItemRead:
    """Create an item."""
    try:
        return ItemRead.model_validate(await items.create_item(user_id, data))
    except items.ForbiddenError:
        raise HTTPException(403, "You may not write there.") from None


@router.get("/items/{key}")
async def get_item(
    user_id: CurrentUser, key: UUID, include: Literal["labels,comments.author"] | None = None
) -> ItemDetail | ItemRead:
    """One item, with its labels and comments if wanted."""
    if include is not None:
        return await _detail(user_id, key)
    row = await items.get_item(user_id, key)
    if row is None:
        raise HTTPException(404, "Not found")
    return ItemRead.model_validate(row)


async def _detail(user_id: UUID, key: UUID) -> ItemDetail:
    wanted = (selectinload(models.Item.labels), selectinload(models.Item.comments).joinedload(models.Comment.author))
    async with sessions() as session:
        row = await session.scalar(visible_items(user_id).where(models.Item.id == key).options(*wanted))
    if row is None:
        raise HTTPException(404, "Not found")
    return ItemDetail.model_validate(row)
