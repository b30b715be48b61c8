"""The GraphQL face."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from pydantic import ValidationError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.fastapi import BaseContext, GraphQLRouter
from strawberry.types import Info as StrawberryInfo

from benchmarks.peers.fastapi_strawberry import items, models
from benchmarks.peers.fastapi_strawberry.auth import CurrentUser
from benchmarks.peers.fastapi_strawberry.loaders import Loaders


class Context(BaseContext):
    """What resolvers need: who is calling, and loaders for this request."""

    def __init__(self, user_id: UUID) -> None:
        super().__init__()
        self.user_id = user_id
        self.loaders = Loaders(user_id)


Info = StrawberryInfo[Context, None]
strawberry.enum(models.ItemStatus)


@strawberry.type
class User:
    """Somebody with an account."""

    row: strawberry.Private[models.User]
    id: UUID
    username: str
    full_name: str | None

    @classmethod
    def of(cls, row: models.User) -> User:
        """The row as it is shown."""
        return cls(row=row, id=row.id, username=row.username, full_name=row.full_name)

    @strawberry.field
    def email(self, info: Info) -> str | None:
        """Shown to the user alone."""
        return self.row.email if self.row.id == info.context.user_id else None


@strawberry.type
class Label:
    """A word that items can be marked with."""

    id: UUID
    name: str
    color: str


@strawberry.type
class Workspace:
    """A room that people share."""

    id: UUID
    name: str
    slug: str


@strawberry.type
class Comment:
    """What somebody said about an item."""

    author_id: UUID
    id: UUID
    body: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: models.Comment) -> Comment:
        """The row as it is shown."""
        return cls(
            author_id=row.author_id, id=row.id, body=row.body, created_at=row.created_at, updated_at=row.updated_at
        )

    @strawberry.field
    async def author(self, info: Info) -> User | None:
        """Who said it."""
        row = await info.context.loaders.users.load(self.author_id)
        return User.of(row) if row else None


@strawberry.type
class Item:
    """Something to do."""

    row: strawberry.Private[models.Item]
    id: UUID
    workspace_id: UUID
    title: str
    description: str | None
    status: models.ItemStatus
    priority: int
    due_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: models.Item) -> Item:
        """The row as it is shown."""
        return cls(
            row=row, id=row.id, workspace_id=row.workspace_id, title=row.title, description=row.description,
            status=row.status, priority=row.priority, due_at=row.due_at, version=row.version,
            created_at=row.created_at, updated_at=row.updated_at,
        )  # fmt: skip

    @strawberry.field
    async def workspace(self, info: Info) -> Workspace | None:
        """Where it belongs."""
        row = await info.context.loaders.workspaces.load(self.row.workspace_id)
        return Workspace(id=row.id, name=row.name, slug=row.slug) if row else None

    @strawberry.field
    async def creator(self, info: Info) -> User | None:
        """Who made it."""
        row = await info.context.loaders.users.load(self.row.creator_id)
        return User.of(row) if row else None

    @strawberry.field
    async def assignee(self, info: Info) -> User | None:
        """Who is to do it."""
        row = await info.context.loaders.users.load(self.row.assignee_id) if self.row.assignee_id else None
        return User.of(row) if row else None

    @strawberry.field
    async def parent(self, info: Info) -> Item | None:
        """What it is a part of."""
        row = await info.context.loaders.items.load(self.row.parent_id) if self.row.parent_id else None
        return Item.of(row) if row else None

    @strawberry.field
    async def children(self, info: Info, first: int = 20) -> list[Item]:
        """Its parts."""
        return [Item.of(row) for row in await info.context.loaders.children.load((self.row.id, first))]

    @strawberry.field
    async def labels(self, info: Info) -> list[Label]:
        """What it is marked with."""
        rows = await info.context.loaders.labels.load(self.row.id)
        return [Label(id=row.id, name=row.name, color=row.color) for row in rows]

    @strawberry.field
    async def comments(self, info: Info, first: int = 20) -> list[Comment]:
        """What was said about it."""
        return [Comment.of(row) for row in await info.context.loaders.comments.load((self.row.id, first))]


@strawberry.type
class ItemPage:
    """Some items, and whether there are more."""

    nodes: list[Item]
    has_next_page: bool


@strawberry.input
class CreateItemInput:
    """A new item."""

    workspace_id: UUID
    title: str
    description: str | None = None
    status: models.ItemStatus = models.ItemStatus.OPEN
    priority: int = 0


@strawberry.type
class Query:
    """What can be read."""

    @strawberry.field
    async def item(self, info: Info, id: UUID) -> Item | None:
        """One item."""
        row = await items.get_item(info.context.user_id, id)
        return Item.of(row) if row else None

    @strawberry.field
    async def items(self, info: Info, first: int = 20, after: UUID | None = None) -> ItemPage:
        """The newest items."""
        rows, more = await items.list_items(info.context.user_id, min(first, 100), after)
        return ItemPage(nodes=[Item.of(row) for row in rows], has_next_page=more)


@strawberry.type
class Mutation:
    """What can be done."""

    @strawberry.mutation
    async def create_item(self, info: Info, input: CreateItemInput) -> Item:
        """Create an item."""
        try:
            data = items.ItemCreate.model_validate(vars(input))
            return Item.of(await items.create_item(info.context.user_id, data))
        except ValidationError as error:
            raise ValueError(str(error)) from None
        except items.ForbiddenError:
            raise PermissionError("You may not write there.") from None


async def get_context(user_id: CurrentUser) -> Context:
    """The context of a request."""
    return Context(user_id)


schema = strawberry.Schema(query=Query, mutation=Mutation, extensions=[ParserCache, ValidationCache])
router: GraphQLRouter[Context, None] = GraphQLRouter(schema, context_getter=get_context)
