"""A small but varied data set, the same in every run, and actors of every kind to read it.

Identifiers and instants are fixed, so that what is generated of them can be generated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import insert, update

from services.catalogue import ANONYMOUS, Actor
from services.engine.audit.models import AuditEvent, Outcome
from services.engine.gateway import Gateway
from services.files.models import File, FileState
from services.identity.auth.authentication import KEY_PREFIX
from services.identity.auth.models import Session
from services.identity.auth.tokens import Tokens
from services.identity.invitations.models import Invitation
from services.identity.keys import secrets
from services.identity.keys.models import ApiKey
from services.identity.keys.secrets import hash_of
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role, Workspace
from services.jobs.models import Job, JobState
from services.sample.comments.models import Comment, CommentFile
from services.sample.items.models import Item, ItemFile, ItemLabel, ItemStatus
from services.sample.labels.models import Label
from services.storage.base import utc_now

Row = dict[str, Any]

START: Final = datetime(2020, 1, 1, tzinfo=UTC)
FAR: Final = datetime(2999, 1, 1, tzinfo=UTC)
"""Sessions were last used then, so that no request notes that it uses one."""

PEOPLE: Final = ("ada", "bob", "cyd", "dan", "eve", "gone", "root")
ROOMS: Final = {
    "shared": {"ada": Role.OWNER, "bob": Role.EDITOR, "cyd": Role.VIEWER, "gone": Role.EDITOR},
    "second": {"bob": Role.OWNER, "ada": Role.VIEWER},
    "empty": {"cyd": Role.OWNER},
}
TITLES: Final = ("ant", "ant", "Antler", "bee", 'say "bee"\\\n', "Käfer 🐞", "100%_done", "\u2028cat<&>")
DESCRIPTIONS: Final = (None, "", "the brass wheels of the engine", None, "wheels within wheels", "A bee's story")
DUES: Final = (
    None, datetime(2030, 1, 1, tzinfo=UTC), None, datetime(2030, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
    datetime(2030, 6, 1, 12, 30, 0, 120000, tzinfo=UTC),
)  # fmt: skip
READABLE: Final = (
    "api_keys", "audit_events", "comments", "files", "invitations", "items", "jobs", "labels", "memberships",
    "sessions", "users", "workspaces",
)  # fmt: skip
MODELS: Final = (
    User, Workspace, Membership, Item, Label, ItemLabel, Comment, File, ItemFile, CommentFile, Session, ApiKey,
    AuditEvent, Invitation, Job,
)  # fmt: skip
AVATAR: Final = "file 6"
"""The picture of cyd, in a workspace that nobody but ada sees."""
JOBS: Final = 9
"""There are as many in all states; those after them have failed."""
EVERY_READ: Final = [f"{each}:read" for each in READABLE]
BODIES: Final = ("They arrive on Monday.", "brass", "No.", "wheels, wheels, wheels", '🐝\t"quoted"', "brass")
LABELS: Final = ("bug", "Bug report", "brass", "ärger", "zzz")


@dataclass(frozen=True)
class Caller:
    """Somebody who calls: a name for messages, and what their requests carry."""

    name: str
    headers: Mapping[str, str]
    actor: Actor = ANONYMOUS


@dataclass(frozen=True)
class Village:
    """The rows by the names of their tables, and the callers: those who see much come first."""

    rows: Mapping[str, Sequence[Row]]
    callers: Sequence[Caller]

    def caller(self, name: str) -> Caller:
        """The one of this name."""
        return next(each for each in self.callers if each.name == name)


def key(name: str) -> UUID:
    """The key of what has this name; keys are in no order that means anything."""
    return uuid5(NAMESPACE_OID, name)


def moment(number: int) -> datetime:
    """Instants of which some are the same."""
    return START + timedelta(hours=number // 2, microseconds=number // 2 % 3 * 250_000)


async def build_village(gateway: Gateway) -> Village:
    """Put everything into an empty database."""
    rows = _rows()
    async with gateway.database.unit_of_work() as session:
        for model in MODELS:
            await session.execute(insert(model), rows[model.__tablename__])
        # Users and files refer to each other.
        pictured = update(User).where(User.id == key("cyd"))
        await session.execute(pictured.values(avatar_id=key(AVATAR), updated_at=User.updated_at))
        await session.commit()
    return Village(rows, _callers(gateway))


def _rows() -> dict[str, list[Row]]:
    items, labels, files = _items(), _labels(), _files()
    comments = _comments(items)
    return {
        "files": files, "item_files": _filed("item_id", items, files),
        "comment_files": _filed("comment_id", comments, files),
        "users": _users(), "workspaces": _workspaces(), "memberships": _memberships(), "items": items,
        "labels": labels, "item_labels": _links(items, labels), "comments": comments, "sessions": _sessions(),
        "api_keys": _api_keys(),
        "audit_events": _events(items), "invitations": _invitations(), "jobs": _jobs(),
    }  # fmt: skip


def _users() -> list[Row]:
    return [
        {
            "id": key(name), "email": f"{name}@example.com", "username": name, "password_hash": "none",
            "full_name": None if number % 2 else f"{name.title()} of the Village", "is_active": name != "gone",
            "is_superuser": name == "root", "created_at": moment(number), "updated_at": moment(number + 1),
            "email_verified_at": moment(number) if number % 3 else None,
        }
        for number, name in enumerate(PEOPLE)
    ]  # fmt: skip


def _workspaces() -> list[Row]:
    personal = {name: key(name) for name in PEOPLE if name not in ("root", "eve")}
    named = [(room, room, None) for room in ROOMS] + [(f"of-{name}", "Personal", of) for name, of in personal.items()]
    return [
        {
            "id": key(slug), "name": name, "slug": slug, "personal_user_id": of, "created_at": moment(number),
            "updated_at": moment(number),
        }
        for number, (slug, name, of) in enumerate(named)
    ]  # fmt: skip


def _memberships() -> list[Row]:
    personal = {f"of-{name}": {name: Role.OWNER} for name in PEOPLE if name not in ("root", "eve")}
    pairs = [(room, name, role) for room, members in (ROOMS | personal).items() for name, role in members.items()]
    return [
        {"id": key(f"{room} {name}"), "workspace_id": key(room), "user_id": key(name), "role": role,
         "created_at": moment(number)}
        for number, (room, name, role) in enumerate(pairs)
    ]  # fmt: skip


def _items() -> list[Row]:
    places = ["shared"] * 12 + ["second"] * 6 + ["of-ada", "of-dan", "of-bob"]
    return [_item(number, place) for number, place in enumerate(places)]


def _item(number: int, place: str) -> Row:
    members = list(ROOMS.get(place, {place.removeprefix("of-"): Role.OWNER}))
    parent = f"item {number - 3}" if place == "shared" and number % 4 and number >= 3 else None
    return {
        "id": key(f"item {number}"), "workspace_id": key(place), "title": TITLES[number * 5 % len(TITLES)],
        "description": DESCRIPTIONS[number % len(DESCRIPTIONS)], "status": list(ItemStatus)[number * number % 4],
        "priority": number // 3 % 5, "due_at": DUES[number % len(DUES)],
        "creator_id": key(members[number % len(members)]),
        "assignee_id": key(members[number // 2 % len(members)]) if number % 3 else None,
        "parent_id": key(parent) if parent else None, "version": 1 + number % 3, "created_at": moment(number),
        "updated_at": moment(number + number % 3),
    }  # fmt: skip


def _labels() -> list[Row]:
    places = ["shared"] * 4 + ["second"] * 2 + ["of-ada"]
    return [
        {
            "id": key(f"label {number}"), "workspace_id": key(place), "name": LABELS[number % len(LABELS)],
            "color": "#00ff00" if number % 2 else "#808080", "created_at": moment(number), "updated_at": moment(number),
        }
        for number, place in enumerate(places)
    ]  # fmt: skip


def _links(items: Sequence[Row], labels: Sequence[Row]) -> list[Row]:
    return [
        {"item_id": item["id"], "label_id": label["id"], "workspace_id": item["workspace_id"]}
        for i, item in enumerate(items)
        for j, label in enumerate(labels)
        if item["workspace_id"] == label["workspace_id"] and (i + j) % 3
    ]


def _files() -> list[Row]:
    places = ["shared"] * 4 + ["second"] * 2 + ["of-ada"]
    return [
        {
            "id": key(f"file {number}"), "workspace_id": key(place), "user_id": key("ada" if number % 2 else "bob"),
            "name": f"{LABELS[number % len(LABELS)]}.png", "size": number % 3, "sha256": f"{number % 3}" * 64,
            "media_type": "image/png" if number % 2 else "text/plain", "received": number % 3,
            "checked_at": moment(number), "state": FileState.COMPLETE, "lease": None, "leased_until": None,
            "created_at": moment(number), "completed_at": moment(number),
        }
        for number, place in enumerate(places)
    ]  # fmt: skip


def _filed(name: str, rows: Sequence[Row], files: Sequence[Row]) -> list[Row]:
    return [
        {name: row["id"], "file_id": file["id"], "workspace_id": row["workspace_id"]}
        for i, row in enumerate(rows)
        for j, file in enumerate(files)
        if row["workspace_id"] == file["workspace_id"] and (i + j) % 3 == 0
    ]


def _comments(items: Sequence[Row]) -> list[Row]:
    return [
        {
            "id": key(f"comment {i} {j}"), "workspace_id": item["workspace_id"], "item_id": item["id"],
            "author_id": item["creator_id"] if j % 2 else item["assignee_id"] or item["creator_id"],
            "body": BODIES[(i + j) % len(BODIES)], "created_at": moment(i + j), "updated_at": moment(i + 2 * j),
        }
        for i, item in enumerate(items)
        for j in range(i % 4)
    ]  # fmt: skip


def _sessions() -> list[Row]:
    names = [*PEOPLE, *(f"{name} again" for name in PEOPLE)]
    return [
        {
            "id": key(f"session {name}"), "user_id": key(name.partition(" ")[0]), "device": "tests",
            "address": "192.0.2.1", "scopes": [] if number % 2 else ["items:read", "users:read"], "generation": 0,
            "created_at": moment(number), "last_used_at": FAR, "expires_at": FAR,
        }
        for number, name in enumerate(names)
    ]  # fmt: skip


def _jobs() -> list[Row]:
    return [
        {
            "id": key(f"job {number}"), "name": TITLES[number % len(TITLES)],
            "state": list(JobState)[number % 4] if number < JOBS else JobState.FAILED,
            "payload": {}, "user_id": key(PEOPLE[number % 3]) if number % 4 else None, "attempts": number,
            "error": DESCRIPTIONS[number % len(DESCRIPTIONS)], "once": None, "ticket": number,
            "created_at": moment(number), "run_at": moment(number * 3), "started_at": None,
            "finished_at": moment(number) if number % 2 else None,
        }
        for number in range(3 * JOBS)
    ]  # fmt: skip


def _api_keys() -> list[Row]:
    places = [(name, room) for name in PEOPLE for room in (None, "shared", "second")]
    return [
        {
            "id": key(f"key {name} {room}"), "user_id": key(name), "workspace_id": key(room) if room else None,
            "name": TITLES[number % len(TITLES)], "hint": "hgw_…0000",
            "scopes": ["items:read"] if number % 4 == 1 else EVERY_READ,
            "networks": ["192.0.2.0/24", "127.0.0.0/8"] if number % 2 else [],
            "secret_hash": hash_of(secret_of(f"key {name} {room}")), "previous_hash": None, "previous_until": None,
            "created_at": moment(number), "rotated_at": None if number % 3 else moment(number + 1),
            "last_used_at": FAR, "expires_at": None if number % 5 else FAR,
        }
        for number, (name, room) in enumerate(places)
    ]  # fmt: skip


def secret_of(name: str) -> str:
    """The secret of the API key of this name."""
    body = key(name).hex
    return f"{KEY_PREFIX}{body}{secrets._checksum(body)}"


def _events(items: Sequence[Row]) -> list[Row]:
    return [
        {
            "id": key(f"event {number}"), "created_at": moment(number), "user_id": item["assignee_id"],
            "session_id": key("session ada") if number % 3 else None, "key_id": key("key") if number % 5 == 0 else None,
            "as_admin": number % 4 == 0, "operation": ("update_item", "archive_item", "login")[number % 3],
            "resource": "item" if number % 6 else None,
            "resource_id": f"itm_{item['id'].hex}" if number % 6 else None,
            "workspace_id": item["workspace_id"] if number % 7 else None,
            "caused_by": f"wsp_{item['workspace_id'].hex}" if number % 8 == 0 else None,
            "request_id": f"request-{number // 2}" if number % 2 else None,
            "address": ("192.0.2.1", "2001:db8::1", None)[number % 3], "outcome": list(Outcome)[number % 5 == 1],
            "problem": "forbidden" if number % 5 == 1 else None, "changed": ["title", "due_at"][: number % 3],
        }
        for number, item in enumerate(items)
    ]  # fmt: skip


def _invitations() -> list[Row]:
    return [
        {
            "id": key(f"invitation {number}"), "workspace_id": key(room), "user_id": key(user),
            "email": f"guest{number}@example.com", "role": list(Role)[number % 3], "digest": str(number).encode(),
            "created_at": moment(number), "expires_at": moment(number * 2) if number % 2 else FAR,
        }
        for number, (room, user) in enumerate(product(ROOMS, ("ada", "bob", "gone")))
    ]  # fmt: skip


def _callers(gateway: Gateway) -> list[Caller]:
    every = frozenset(gateway.catalogue.scopes)
    narrow = frozenset({"items:read", "labels:read"})
    kinds = {"ada": "owner", "bob": "editor", "root": "admin", "cyd": "viewer", "dan": "outsider", "eve": "roomless"}
    people = [caller_of(gateway, name, f"{name}, {kind}", every) for name, kind in kinds.items()]
    return [
        *people,
        caller_of(gateway, "ada", "ada, items and labels only", narrow),
        caller_of(gateway, "root", "root, items and labels only", narrow),
        Caller("nobody", {}),
        caller_with_key("ada", "shared", "ada's key, shared"),
        caller_with_key("bob", "second", "bob's key, second"),
        caller_with_key("root", "shared", "root's key, shared, where root is nobody"),
        caller_of(gateway, "gone", "gone", every),
    ]


def caller_with_key(user: str, room: str, name: str) -> Caller:
    """The user with an API key that is bound to a workspace."""
    row = next(each for each in _api_keys() if each["id"] == key(f"key {user} {room}"))
    actor = Actor(key(user), None, frozenset(row["scopes"]), False, row["id"], key(room))
    return Caller(name, {"X-API-Key": secret_of(f"key {user} {room}")}, actor)


def caller_of(gateway: Gateway, user: str, name: str, scopes: frozenset[str]) -> Caller:
    """The user with this key's name, signed in to the session of theirs."""
    session = key(f"session {user.partition(' ')[0]}")
    token = gateway.part(Tokens).issue("access", user_id=key(user), session_id=session, now=utc_now(), scopes=scopes)
    actor = Actor(key(user), session, scopes, is_admin=user == "root")
    return Caller(name, {"Authorization": f"Bearer {token}"}, actor)
