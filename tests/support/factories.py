"""Things to test with. Each takes what matters to the test and makes up the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import insert

from services.catalogue.identifiers import new_key
from services.engine.gateway import Gateway
from services.sample.items.models import Item, ItemStatus
from tests.support.accounts import Account, KeyHolder, sign_up
from tests.support.faces import Face

Row = dict[str, Any]

START = datetime(2020, 1, 1, tzinfo=UTC)


def key_of(identifier: str) -> UUID:
    """The primary key in a public identifier."""
    return UUID(hex=identifier.rpartition("_")[2])


def unknown_id(prefix: str) -> str:
    """A well-formed identifier of nothing."""
    return f"{prefix}_{new_key().hex}"


def unique(word: str) -> str:
    """A word that nothing else is called by."""
    return f"{word}-{uuid4().hex[:12]}"


async def make_workspace(face: Face, owner: Account, name: str = "Engine") -> Row:
    """A workspace with one owner."""
    made: Row = await face.ok("create_workspace", owner, {"name": name, "slug": unique("engine")})
    return made


async def invite(face: Face, owner: Account, member: Account, workspace_id: str, role: str) -> Row:
    """A membership."""
    data = {"workspace_id": workspace_id, "username": member.username, "role": role}
    made: Row = await face.ok("create_membership", owner, data)
    return made


async def make_item(face: Face, actor: Account, title: str = "Wheel", **more: Any) -> Row:
    """An item; in the personal workspace unless told otherwise."""
    made: Row = await face.ok("create_item", actor, {"title": title, **more})
    return made


async def make_label(face: Face, actor: Account, name: str = "brass", **more: Any) -> Row:
    """A label; in the personal workspace unless told otherwise."""
    made: Row = await face.ok("create_label", actor, {"name": name, **more})
    return made


async def make_comment(face: Face, actor: Account, item: Row, body: str = "They arrive on Monday.") -> Row:
    """A comment on an item."""
    made: Row = await face.ok("create_comment", actor, {"item_id": item["id"], "body": body})
    return made


async def make_key(face: Face, actor: Account, *, header: str = "Authorization", **more: Any) -> KeyHolder:
    """An API key of the actor; with all the actor's scopes unless told otherwise."""
    scopes = actor.tokens["scope"].split()
    made = await face.ok("create_api_key", actor, {"name": "Import", "scopes": scopes, **more})
    return KeyHolder(actor.id, actor.username, actor.password, actor.tokens, made["id"], made["secret"], header)


async def personal_workspace(face: Face, actor: Account) -> Row:
    """The workspace that came with an account."""
    found = await face.ok("list_workspaces", actor, filter={"is_personal": True})
    (workspace,) = found["data"]
    made: Row = workspace
    return made


@dataclass(frozen=True)
class Team:
    """A workspace, somebody of each role in it with their memberships, and somebody who has nothing to do with it."""

    workspace: Row
    owner: Account
    editor: Account
    viewer: Account
    outsider: Account
    memberships: Mapping[str, Row]

    @property
    def id(self) -> str:
        """The workspace's identifier."""
        found: str = self.workspace["id"]
        return found

    def account(self, role: str) -> Account:
        """The one who is `owner`, `editor`, `viewer` or `outsider`."""
        found: Account = getattr(self, role)
        return found


async def make_team(client: httpx.AsyncClient, face: Face) -> Team:
    """A team of four accounts."""
    owner, editor, viewer, outsider = [await sign_up(client) for _ in range(4)]
    workspace = await make_workspace(face, owner)
    (own,) = (await face.ok("list_memberships", owner, filter={"workspace_id": workspace["id"]}))["data"]
    memberships = {
        "owner": own,
        "editor": await invite(face, owner, editor, workspace["id"], "editor"),
        "viewer": await invite(face, owner, viewer, workspace["id"], "viewer"),
    }
    return Team(workspace, owner, editor, viewer, outsider, memberships)


async def insert_items(
    gateway: Gateway, owner: Account, workspace: Row, rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Many items at once, past the operations, each a minute younger than the one before; returns their identifiers."""
    values = []
    for number, row in enumerate(rows):
        made = START + timedelta(minutes=number)
        values.append({
            "id": new_key(), "workspace_id": key_of(workspace["id"]), "creator_id": owner.key,
            "title": f"item {number}", "status": ItemStatus.OPEN, "priority": 0, "due_at": None, "version": 1,
            "description": None, "assignee_id": None, "parent_id": None, "created_at": made, "updated_at": made, **row,
        })  # fmt: skip
    async with gateway.database.unit_of_work() as session:
        await session.execute(insert(Item), values)
        await session.commit()
    return [f"itm_{value['id'].hex}" for value in values]
