"""What is asked: the cases, and which rows they are about."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from benchmarks import data
from benchmarks.database import Servers

CASES: Final = {
    "single": "one item, 3 fields",
    "list": "50 items, 6 fields",
    "nested": "50 items with creator, labels, 5 comments and their authors",
    "deep": "10 items, 5 children of each, with labels, comments and authors: 4 levels",
    "create": "create an item, 3 fields of the result",
    "rest_get": "REST: one item",
    "rest_list": "REST: 50 items",
    "rest_include": "REST: one item with labels, comments and their authors",
    "rest_create": "REST: create an item",
}
WRITING: Final = frozenset({"create", "rest_create"})
REQUESTS: Final = 2_000
"""How many different requests a case has, where it is about one row."""

_TOLD: Final = ("title", "name", "username", "body")


@dataclass(frozen=True)
class Sample:
    """Rows that the actor may read, and where the actor may write."""

    items: list[UUID]
    workspace: UUID
    actor: UUID
    everywhere: UUID


def sample(servers: Servers) -> Sample:
    """The rows to ask for, in an order that is random and always the same."""
    users = {row["username"]: row["id"] for row in servers.fetch("select id, username from users")}
    actor = UUID(str(users[data.ACTOR]))
    rows = servers.fetch(
        "select id, workspace_id from items where workspace_id in"
        " (select workspace_id from memberships where user_id = $1) order by id",
        actor,
    )
    keys = [UUID(str(row["id"])) for row in rows]
    random.Random(1).shuffle(keys)  # noqa: S311 - repeatable on purpose
    workspace = UUID(str(rows[0]["workspace_id"]))
    return Sample(keys[:REQUESTS], workspace, actor, UUID(str(users[data.EVERYWHERE])))


def forget_created(servers: Servers, database: str) -> None:
    """Take away what the writing cases made, so that the reading ones find the same newest rows as before."""
    servers.execute(f"delete from items where title like '{CREATED}%'", "vacuum items", database=database)  # noqa: S608


CREATED: Final = "Created "
"""How titles of created items begin."""


def told(answer: Any) -> Counter[tuple[str, str]]:
    """What an answer says, whatever its shape: how often each title, name, user name and text occurs in it."""
    return Counter(_told(answer))


def _told(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _TOLD and isinstance(inner, str):
                yield name, inner
            else:
                yield from _told(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _told(inner)
