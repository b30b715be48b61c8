"""The rows of the walk's world, made by resource. Each says who may read it, and says so in its texts too.

A text is `secret-<group>-<resource>-…`. A group is a set of people who may read what is marked with it; which groups a
caller belongs to is stated by hand in callers.py. Whoever adds a resource adds a maker to `MAKERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from services.engine.audit.models import Outcome
from services.files.models import FileState
from services.identity.auth.authentication import KEY_PREFIX
from services.identity.keys import secrets
from services.identity.keys.secrets import hash_of
from services.identity.workspaces.models import Role
from services.jobs.models import JobState
from services.sample.items.models import ItemStatus

Row = dict[str, Any]

PEOPLE: Final = ("ann", "ben", "olga", "ed", "vic", "lou", "dora", "root")
"""lou has left the shared workspace, dora is deactivated, root is an admin."""
ROOMS: Final = {
    "shared": {"olga": Role.OWNER, "ed": Role.EDITOR, "vic": Role.VIEWER, "dora": Role.EDITOR},
    "alpha": {"ann": Role.OWNER, "ed": Role.EDITOR},
    "beta": {"ben": Role.OWNER},
}
PERSONAL: Final = {f"of{name}": {name: Role.OWNER} for name in PEOPLE}
MEMBERS: Final = ROOMS | PERSONAL

READABLE: Final = (
    "api_keys", "audit_events", "comments", "files", "invitations", "items", "jobs", "labels", "memberships",
    "sessions", "users", "workspaces",
)  # fmt: skip
EVERY_READ: Final = [f"{each}:read" for each in READABLE]

START: Final = datetime(2021, 1, 1, tzinfo=UTC)
FAR: Final = datetime(2999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Marked:
    """A row, the group of those who may read it, and the groups of those who see its guarded fields.

    `derived` are public fields that are no columns of their own; `listed` is the group in whose lists the row stands,
    if that is a smaller one.
    """

    values: Row
    group: str
    guarded: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, Any] = field(default_factory=dict)
    listed: str = ""

    @property
    def key(self) -> UUID:
        """Its primary key."""
        found: UUID = self.values["id"]
        return found


def key(name: str) -> UUID:
    """The key of what has this name; keys are in no order that means anything."""
    return uuid5(NAMESPACE_OID, f"reach {name}")


def secret(group: str, resource: str, rest: str) -> str:
    """A text that only the group may see."""
    return f"secret-{group}-{resource.replace('_', '')}-{rest}"


def moment(number: int) -> datetime:
    """Instants of which some are the same."""
    return START + timedelta(hours=number * 7 % 10)


def _users() -> list[Marked]:
    found = []
    for number, name in enumerate(PEOPLE):
        group = "gone" if name == "dora" else "directory"
        values = {
            "id": key(name), "username": secret(group, "user", name), "password_hash": secret("never", "user", name),
            "full_name": None if name == "vic" else secret(group, "user", f"{name} in full"),
            "email": f"{secret(f'mail{name}', 'user', name)}@example.com", "is_active": name != "dora",
            "is_superuser": name == "root", "created_at": moment(number), "updated_at": moment(number),
            "email_verified_at": moment(number) if number % 2 else None,
            "avatar_id": key(f"file {_AVATAR}") if name == "ed" else None,
        }  # fmt: skip
        guarded = dict.fromkeys(("email", "email_verified"), f"mail{name}")
        found.append(Marked(values, group, guarded, {"email_verified": bool(number % 2)}))
    return found


def _workspaces() -> list[Marked]:
    return [
        Marked(
            {
                "id": key(room), "name": secret(room, "workspace", "name"), "slug": secret(room, "workspace", "slug"),
                "personal_user_id": key(room[2:]) if room in PERSONAL else None, "created_at": moment(number),
                "updated_at": moment(number),
            },
            room,
            derived={"is_personal": room in PERSONAL},
        )
        for number, room in enumerate(MEMBERS)
    ]  # fmt: skip


def _memberships() -> list[Marked]:
    pairs = [(room, name, role) for room, members in MEMBERS.items() for name, role in members.items()]
    return [
        Marked(
            {
                "id": key(f"{name} in {room}"), "workspace_id": key(room), "user_id": key(name), "role": role,
                "created_at": moment(number),
            },
            room,
        )
        for number, (room, name, role) in enumerate(pairs)
    ]  # fmt: skip


# Workspace, creator, assignee, parent. In each workspace that people share, somebody made one who is gone.
_ITEMS: Final = {
    "s0": ("shared", "olga", "vic", None), "s1": ("shared", "lou", "ed", "s0"), "s2": ("shared", "dora", "dora", "s1"),
    "s3": ("shared", "ed", None, "s0"), "a0": ("alpha", "ann", "ed", None), "a1": ("alpha", "ed", "ann", "a0"),
    "a2": ("alpha", "olga", None, "a1"), "b0": ("beta", "ben", "ben", None), "b1": ("beta", "ed", None, "b0"),
    **{f"p{name}": (f"of{name}", name, name, None) for name in PEOPLE},
}  # fmt: skip
_LABELS: Final = {"s4": "shared", "s5": "shared", "a4": "alpha", "b4": "beta", "polga": "ofolga", "plou": "oflou"}
_LABELLED: Final = (("s0", "s4"), ("s0", "s5"), ("s1", "s4"), ("a0", "a4"), ("a1", "a4"), ("b0", "b4"), ("b1", "b4"),
                    ("polga", "polga"), ("plou", "plou"))  # fmt: skip
_FILED: Final = (("s0", "s6"), ("s0", "s7"), ("s1", "s6"), ("a0", "a6"), ("b1", "b6"), ("plou", "plou"))
_COMMENTS: Final = (
    ("s0", "ed"), ("s0", "lou"), ("s0", "dora"), ("s1", "olga"), ("s2", "vic"), ("a0", "ed"), ("a0", "ann"),
    ("a1", "olga"), ("b0", "ben"), ("b1", "ed"), ("b1", "lou"), ("polga", "olga"), ("plou", "lou"),
)  # fmt: skip


def _items() -> list[Marked]:
    statuses, found = list(ItemStatus), []
    for number, (name, (room, creator, assignee, parent)) in enumerate(_ITEMS.items()):
        values = {
            "id": key(name), "workspace_id": key(room), "title": secret(room, "item", f"title {name}"),
            "description": None if number % 3 == 2 else secret(room, "item", f"description {name}"),
            "status": statuses[number % 4], "priority": number % 5,
            "due_at": None if number % 3 == 1 else moment(number), "creator_id": key(creator),
            "assignee_id": key(assignee) if assignee else None, "parent_id": key(parent) if parent else None,
            "version": 1, "created_at": moment(number), "updated_at": moment(number + 1),
        }  # fmt: skip
        found.append(Marked(values, room))
    return found


def _labels() -> list[Marked]:
    return [
        Marked(
            {
                "id": key(f"label {name}"), "workspace_id": key(room), "name": secret(room, "label", name),
                "color": f"#00000{number}", "created_at": moment(number), "updated_at": moment(number),
            },
            room,
        )
        for number, (name, room) in enumerate(_LABELS.items())
    ]  # fmt: skip


def _comments() -> list[Marked]:
    found = []
    for number, (item, author) in enumerate(_COMMENTS):
        room = _ITEMS[item][0]
        values = {
            "id": key(f"comment {number}"), "workspace_id": key(room), "item_id": key(item), "author_id": key(author),
            "body": secret(room, "comment", f"of {author} on {item}"), "created_at": moment(number),
            "updated_at": moment(number),
        }  # fmt: skip
        found.append(Marked(values, room))
    return found


def _sessions() -> list[Marked]:
    # Of everybody the one that they call with, one more of olga's, and one of hers that has run out.
    named = [(name, f"device{name}", name) for name in PEOPLE if name != "dora"]
    named += [("olga again", "deviceolga", "olga"), ("olga before", "expired", "olga")]
    return [
        Marked(
            {
                "id": key(f"session {name}"), "user_id": key(user), "device": secret(group, "session", "device"),
                "address": secret(group, "session", "address"), "scopes": [], "generation": 0,
                "created_at": moment(number), "last_used_at": FAR, "expires_at": START if group == "expired" else FAR,
            },
            group,
        )
        for number, (name, group, user) in enumerate(named)
    ]  # fmt: skip


# Whose they are, the workspace they are bound to, and the group of those who see them: their user and its owners.
_KEYS: Final = (
    ("olga", None, "keysolga"), ("olga", "shared", "keysolgashared"), ("ed", "shared", "keysedshared"),
    ("ed", "alpha", "keysedalpha"), ("ben", "beta", "keysbenbeta"), ("lou", None, "keyslou"), ("vic", None, "keysvic"),
)  # fmt: skip


def _api_keys() -> list[Marked]:
    return [
        Marked(
            {
                "id": key(group), "user_id": key(user), "workspace_id": key(room) if room else None,
                "name": secret(group, "api_key", "name"), "hint": "hgw_…0000", "scopes": EVERY_READ, "networks": [],
                "secret_hash": hash_of(secret_of(group)), "previous_hash": None, "previous_until": None,
                "created_at": moment(number), "rotated_at": None, "last_used_at": FAR if number % 2 else None,
                "expires_at": None if number % 2 else FAR,
            },
            group,
        )
        for number, (user, room, group) in enumerate(_KEYS)
    ]  # fmt: skip


def _invitations() -> list[Marked]:
    found = []
    for number, (room, user) in enumerate((*((room, "ed") for room in MEMBERS), ("shared", "lou"))):
        group = f"{room}owned"
        values = {
            "id": key(f"invitation {number}"), "workspace_id": key(room), "user_id": key(user),
            "email": f"{secret(group, 'invitation', str(number))}@example.com", "role": list(Role)[number % 3],
            "digest": str(number).encode(), "created_at": moment(number), "expires_at": FAR if number % 2 else START,
        }  # fmt: skip
        found.append(Marked(values, group))
    return found


def secret_of(group: str) -> str:
    """The secret of an API key of which there is one in the group."""
    body = key(group).hex
    return f"{KEY_PREFIX}{body}{secrets._checksum(body)}"


def _audit_events() -> list[Marked]:
    found = []
    for number, (room, user) in enumerate([*((room, "ed") for room in MEMBERS), ("shared", "lou"), (None, "olga")]):
        group = f"{room}owned" if room else "admins"
        texts = ("operation", "resource", "resource_id", "caused_by", "request_id", "address", "problem")
        values = {
            "id": key(f"event {number}"), "created_at": moment(number), "user_id": key(user),
            "session_id": key(f"session {user}"), "key_id": key("keysolga"),
            "as_admin": number % 2 == 0, "workspace_id": key(room) if room else None,
            "outcome": list(Outcome)[number % 2], "changed": ["title"],
            **{each: secret(group, "audit_event", str(number)) for each in texts},
        }  # fmt: skip
        found.append(Marked(values, group))
    return found


# Workspace, and who has announced it; one of each is pending.
_FILES: Final = {
    "s6": ("shared", "ed"), "s7": ("shared", "lou"), "a6": ("alpha", "ann"), "b6": ("beta", "ben"),
    "polga": ("ofolga", "olga"), "plou": ("oflou", "lou"), "aed": ("alpha", "ed"),
}  # fmt: skip
_AVATAR: Final = "aed"
"""The picture of ed: seen by whoever sees ed."""


def _files() -> list[Marked]:
    found = []
    for number, (name, (room, user)) in enumerate(_FILES.items()):
        done, group = number % 3 != 2, "directory" if name == _AVATAR else room
        values = {
            "id": key(f"file {name}"), "workspace_id": key(room), "user_id": key(user),
            "name": secret(group, "file", name), "size": number, "sha256": sha256(name.encode()).hexdigest(),
            "media_type": secret(group, "file", name),
            "state": FileState.COMPLETE if done else FileState.PENDING, "received": 0,
            "checked_at": moment(number) if done else None, "lease": None, "leased_until": None,
            "created_at": moment(number), "completed_at": moment(number) if done else None,
        }  # fmt: skip
        found.append(Marked(values, group, listed=room))
    return found


def _jobs() -> list[Marked]:
    found = []
    for number, user in enumerate(("olga", "ed", None)):
        values: Row = {
            "id": key(f"job {number}"), "state": list(JobState)[number], "payload": {}, "user_id": key(user or "root"),
            "attempts": number, "once": None, "ticket": number, "created_at": moment(number), "run_at": moment(number),
            "started_at": None, "finished_at": moment(number), **{
                each: secret("admins", "job", f"{number}") for each in ("name", "error")
            },
        }  # fmt: skip
        found.append(Marked(values, "admins"))
    return found


MAKERS: Final[dict[str, Callable[[], Sequence[Marked]]]] = {
    "user": _users,
    "workspace": _workspaces,
    "membership": _memberships,
    "session": _sessions,
    "item": _items,
    "label": _labels,
    "comment": _comments,
    "api_key": _api_keys,
    "file": _files,
    "audit_event": _audit_events,
    "invitation": _invitations,
    "job": _jobs,
}
"""By the resource's name."""

UNMARKED: Final = {("label", "color"), ("api_key", "hint"), ("file", "sha256")}
"""Texts that have no room for a secret, by resource and field."""


def links() -> dict[str, list[Row]]:
    """The rows of association tables, by the tables' names."""
    return {
        "item_labels": [
            {"item_id": key(item), "label_id": key(f"label {label}"), "workspace_id": key(_ITEMS[item][0])}
            for item, label in _LABELLED
        ],
        "item_files": [
            {"item_id": key(item), "file_id": key(f"file {file}"), "workspace_id": key(_ITEMS[item][0])}
            for item, file in _FILED
        ],
        "comment_files": [
            {
                "comment_id": key(f"comment {number}"),
                "file_id": key(f"file {file}"),
                "workspace_id": key(_FILES[file][0]),
            }
            for number, file in ((0, "s6"), (1, "s7"), (5, "a6"), (8, "b6"), (11, "polga"))
        ],
    }
