"""The rows: always the same ones, with keys and times as a busy year would have left them.

Sizes are exact. 200 workspaces are unevenly large; the actor of the cases is in 5 of them, which hold 2,500 items, and
`EVERYWHERE` is in all. Items form trees in groups of 40, about four levels deep on the average, whose parents may be
younger than their children. Labels and comments are spread unevenly: an item has up to 6 labels and 6 comments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

USERS: Final = 1_000
WORKSPACES: Final = 200
ITEMS: Final = 100_000
ITEM_LABELS: Final = 300_000
COMMENTS: Final = 200_000
LABELS_EACH: Final = 30
MEMBERS_EACH: Final = 20

ACTOR: Final = "bench"
ACTOR_WORKSPACES: Final = 5
ACTOR_ITEMS_EACH: Final = 500
EVERYWHERE: Final = "everywhere"

_SEED: Final = 20_260_101
_START: Final = datetime(2025, 1, 1, tzinfo=UTC)
_BETWEEN_ITEMS: Final = timedelta(minutes=5)
_TREE: Final = 40
_LABELS_ON: Final = (0, 2, 3, 4, 6)
_COMMENTS_ON: Final = (0, 1, 1, 2, 6)
_COLORS: Final = ("#d73a4a", "#0e8a16", "#5319e7", "#fbca04", "#1d76db")
_STATUSES: Final = ("open", "open", "in_progress", "done", "done", "archived")
_VOCABULARY: Final = """
    brass wheel lever carry column engine axle spring gear drum card loom thread punch mill store ratchet pawl shaft
    bearing oil drawing plate screw frame crank handle cam digit number table sum difference press proof type page
"""
_WORDS: Final = _VOCABULARY.split()

Row = tuple[Any, ...]


@dataclass
class DataSet:
    """All rows, per table in the order of `COLUMNS`, and what the cases need to know of them."""

    password_hash: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    random: random.Random = field(default_factory=lambda: random.Random(_SEED))  # noqa: S311 - repeatable on purpose

    def __post_init__(self) -> None:
        """Make the rows."""
        self._users()
        self._workspaces()
        self._items()
        self._item_labels()
        self._comments()

    def _users(self) -> None:
        names = [ACTOR, EVERYWHERE, *(f"user-{number}" for number in range(2, USERS))]
        self.rows["users"] = [
            (key, f"{name}@example.com", name, f"{name.title()} Babbage", self.password_hash, True, False, at, at)
            for name, (key, at) in zip(names, self._moments(USERS, timedelta(hours=1)), strict=True)
        ]
        self.users = [row[0] for row in self.rows["users"]]

    def _workspaces(self) -> None:
        moments = list(self._moments(WORKSPACES, timedelta(hours=5)))
        self.workspaces = [key for key, _ in moments]
        self.rows["workspaces"] = [
            (key, f"Workspace {number}", f"workspace-{number}", None, at, at)
            for number, (key, at) in enumerate(moments)
        ]
        self.members = [self._members(number) for number in range(WORKSPACES)]
        self.rows["memberships"] = [
            (self._key(at), workspace, user, ("owner", "editor", "editor", "viewer")[place % 4], at)
            for (workspace, at), members in zip(moments, self.members, strict=True)
            for place, user in enumerate(members)
        ]
        self.labels = [[self._key(at) for _ in range(LABELS_EACH)] for _, at in moments]
        self.rows["labels"] = [
            (key, workspace, f"{_WORDS[number]} {number}", _COLORS[number % len(_COLORS)], at, at)
            for (workspace, at), keys in zip(moments, self.labels, strict=True)
            for number, key in enumerate(keys)
        ]

    def _members(self, workspace: int) -> list[UUID]:
        """The second is an editor: there the actor is, where it is a member, and `EVERYWHERE` is next."""
        first, *others = self.random.sample(self.users[2:], MEMBERS_EACH)
        return [first, *self.users[: 1 if workspace < ACTOR_WORKSPACES else 0], self.users[1], *others]

    def _sizes(self) -> list[int]:
        """How many items each workspace has: the actor's are alike, of the others some are forty times the others."""
        rest = ITEMS - ACTOR_WORKSPACES * ACTOR_ITEMS_EACH
        weights = [1 / (rank + 5) for rank in range(WORKSPACES - ACTOR_WORKSPACES)]
        sizes = [int(rest * weight / sum(weights)) for weight in weights]
        sizes[0] += rest - sum(sizes)
        return [ACTOR_ITEMS_EACH] * ACTOR_WORKSPACES + sizes

    def _items(self) -> None:
        homes = [home for home, size in enumerate(self._sizes()) for _ in range(size)]
        self.random.shuffle(homes)
        self.items = [
            (key, home, at) for home, (key, at) in zip(homes, self._moments(ITEMS, _BETWEEN_ITEMS), strict=True)
        ]
        parents = self._parents()
        self.rows["items"] = [self._item(key, home, at, parents.get(key)) for key, home, at in self.items]

    def _item(self, key: UUID, home: int, at: datetime, parent: UUID | None) -> Row:
        chance = self.random
        creator, assignee = chance.choice(self.members[home]), chance.choice([None, *self.members[home]])
        due = at + timedelta(days=chance.randrange(90)) if chance.random() < 0.5 else None
        changed = at + timedelta(seconds=chance.randrange(1_000_000))
        return (
            key, self.workspaces[home], self._text(5), self._text(20), chance.choice(_STATUSES), chance.randrange(5),
            due, creator, assignee, parent, 1 + chance.randrange(3), at, changed,
        )  # fmt: skip

    def _parents(self) -> dict[UUID, UUID]:
        """Trees within workspaces, each of a group of items that are near one another in time."""
        of_workspace: dict[int, list[UUID]] = {}
        for key, home, _ in self.items:
            of_workspace.setdefault(home, []).append(key)
        parents: dict[UUID, UUID] = {}
        for keys in of_workspace.values():
            for start in range(0, len(keys), _TREE):
                group = keys[start : start + _TREE]
                self.random.shuffle(group)
                parents |= {group[place]: group[self.random.randrange(place)] for place in range(1, len(group))}
        return parents

    def _item_labels(self) -> None:
        self.rows["item_labels"] = [
            (key, label, self.workspaces[home])
            for (key, home, _), count in zip(self.items, self._spread(_LABELS_ON), strict=True)
            for label in self.random.sample(self.labels[home], count)
        ]

    def _comments(self) -> None:
        told = sorted(
            (at + timedelta(seconds=self.random.randrange(1, 600_000)), key, home)
            for (key, home, at), count in zip(self.items, self._spread(_COMMENTS_ON), strict=True)
            for _ in range(count)
        )
        self.rows["comments"] = [
            (self._key(at), self.workspaces[home], item, self.random.choice(self.members[home]), self._text(15), at, at)
            for at, item, home in told
        ]

    def _spread(self, pattern: tuple[int, ...]) -> list[int]:
        counts = list(pattern) * (ITEMS // len(pattern))
        self.random.shuffle(counts)
        return counts

    def _moments(self, count: int, between: timedelta) -> Iterator[tuple[UUID, datetime]]:
        """Keys and the times that they were made at, increasing."""
        for number in range(count):
            at = _START + number * between + timedelta(microseconds=self.random.randrange(1_000_000))
            yield self._key(at), at

    def _key(self, at: datetime) -> UUID:
        """A UUIDv7 (RFC 9562, section 5.7) of the time."""
        milliseconds = int(at.timestamp() * 1_000)
        bits = self.random.getrandbits(74)
        return UUID(int=milliseconds << 80 | 7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & (1 << 62) - 1)

    def _text(self, words: int) -> str:
        return " ".join(self.random.choices(_WORDS, k=words)).capitalize()


COLUMNS: Final = {
    "users": "id email username full_name password_hash is_active is_superuser created_at updated_at",
    "workspaces": "id name slug personal_user_id created_at updated_at",
    "memberships": "id workspace_id user_id role created_at",
    "labels": "id workspace_id name color created_at updated_at",
    "items": (
        "id workspace_id title description status priority due_at creator_id assignee_id parent_id version "
        "created_at updated_at"
    ),
    "item_labels": "item_id label_id workspace_id",
    "comments": "id workspace_id item_id author_id body created_at updated_at",
}
