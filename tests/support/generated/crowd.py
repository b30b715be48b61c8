"""A hundred rows of everything, all readable by one caller, and related to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import insert

from services.engine.audit.models import AuditEvent, Outcome
from services.engine.gateway import Gateway
from services.files.models import File, FileState
from services.identity.auth.models import Session
from services.identity.invitations.models import Invitation
from services.identity.keys.models import ApiKey
from services.identity.users.models import User
from services.identity.workspaces.models import Membership, Role, Workspace
from services.jobs.models import Job, JobState
from services.sample.comments.models import Comment, CommentFile
from services.sample.items.models import Item, ItemFile, ItemLabel, ItemStatus
from services.sample.labels.models import Label
from tests.support.generated.village import FAR, Caller, caller_of, key, moment

SIZE: Final = 100

Row = dict[str, Any]


async def build_crowd(gateway: Gateway) -> Caller:
    """Put everything into an empty database; returns the one who may read it all."""
    async with gateway.database.unit_of_work() as session:
        for model, rows in _rows():
            await session.execute(insert(model), rows)
        await session.commit()
    return caller_of(gateway, "user 0", "the caller", frozenset(gateway.catalogue.scopes))


def _rows() -> Sequence[tuple[Any, list[Row]]]:
    numbers = range(SIZE)
    return [
        (User, [_user(number) for number in numbers]),
        (Workspace, [{"name": "room", "slug": f"room-{n}", **_made("room", n), **_changed(n)} for n in numbers]),
        (Membership, [_membership(0, number) for number in numbers]),
        (Membership, [_membership(number, 0) for number in numbers if number]),
        (Item, [_item(number) for number in numbers]),
        (Label, [
            {"workspace_id": key("room 0"), "name": f"label {n}", **_made("label", n), **_changed(n)} for n in numbers
        ]),
        (ItemLabel, [_link(number, number + step) for number in numbers for step in range(4)]),
        (Comment, [_comment(number, number + step) for number in numbers for step in range(4)]),
        (File, [_file(number) for number in numbers]),
        (ItemFile, [_attached("item_id", f"item {n}", n + step) for n in numbers for step in range(4)]),
        (CommentFile, [_attached("comment_id", f"comment {n} {n}", n + step) for n in numbers for step in range(4)]),
        (Session, [_session(number) for number in numbers]),
        (ApiKey, [_api_key(number) for number in numbers]),
        (AuditEvent, [_event(number) for number in numbers]),
        (Invitation, [_invitation(number) for number in numbers]),
        (Job, [_job(number) for number in numbers]),
    ]  # fmt: skip


def _made(name: str, number: int) -> Row:
    return {"id": key(f"{name} {number}"), "created_at": moment(number)}


def _changed(number: int) -> Row:
    return {"updated_at": moment(number)}


def _user(number: int) -> Row:
    name = f"user-{number}"
    return {
        "email": f"{name}@example.com", "username": name, "full_name": name, "password_hash": "none", "is_active": True,
        "is_superuser": False, **_made("user", number), **_changed(number),
    }  # fmt: skip


def _membership(user: int, room: int) -> Row:
    found = {"workspace_id": key(f"room {room}"), "user_id": key(f"user {user}"), "role": Role.OWNER}
    return {**found, "id": key(f"membership {user} {room}"), "created_at": moment(room)}


def _item(number: int) -> Row:
    return {
        "workspace_id": key("room 0"), "title": f"item {number}", "description": None, "status": ItemStatus.OPEN,
        "priority": 0, "due_at": None, "creator_id": key(f"user {number}"),
        "assignee_id": key(f"user {-number % SIZE}"),
        "parent_id": key(f"item {number // 3}") if number else None, "version": 1, **_made("item", number),
        **_changed(number),
    }  # fmt: skip


def _link(item: int, label: int) -> Row:
    return {
        "item_id": key(f"item {item}"), "label_id": key(f"label {label % SIZE}"), "workspace_id": key("room 0"),
    }  # fmt: skip


def _comment(item: int, author: int) -> Row:
    return {
        "item_id": key(f"item {item}"), "author_id": key(f"user {author % SIZE}"), "workspace_id": key("room 0"),
        "body": "brass", "id": key(f"comment {item} {author}"), "created_at": moment(item), **_changed(author),
    }  # fmt: skip


def _file(number: int) -> Row:
    return {
        "user_id": key(f"user {number}"), "workspace_id": key("room 0"), "name": f"file {number}", "size": 0,
        "sha256": "0" * 64, "media_type": "text/plain", "state": FileState.COMPLETE, "checked_at": moment(number),
        "completed_at": moment(number), **_made("file", number),
    }  # fmt: skip


def _attached(name: str, to: str, file: int) -> Row:
    return {name: key(to), "file_id": key(f"file {file % SIZE}"), "workspace_id": key("room 0")}


def _api_key(number: int) -> Row:
    return {
        "user_id": key("user 0"), "workspace_id": key("room 0") if number % 2 else None, "name": f"key {number}",
        "hint": "hgw_…0000", "scopes": [], "networks": [], "secret_hash": str(number).encode(),
        **_made("api_key", number),
    }  # fmt: skip


def _event(number: int) -> Row:
    return {
        "user_id": key(f"user {number}"), "session_id": key("session user"), "key_id": None, "as_admin": False,
        "operation": "update_item", "resource": "item", "resource_id": f"itm_{key(f'item {number}').hex}",
        "workspace_id": key("room 0"), "caused_by": None, "request_id": None, "address": None,
        "outcome": Outcome.DONE, "problem": None, "changed": ["title"], **_made("audit_event", number),
    }  # fmt: skip


def _invitation(number: int) -> Row:
    return {
        "workspace_id": key("room 0"), "user_id": key(f"user {number}"), "email": f"guest{number}@example.com",
        "role": Role.VIEWER, "digest": str(number).encode(), "expires_at": FAR, **_made("invitation", number),
    }  # fmt: skip


def _job(number: int) -> Row:
    return {
        "name": "toil", "state": JobState.SUCCEEDED, "payload": {}, "user_id": None, "attempts": 1, "error": None,
        "once": None, "ticket": number, "run_at": moment(number), "started_at": None, "finished_at": None,
        **_made("job", number),
    }  # fmt: skip


def _session(number: int) -> Row:
    return {
        "id": key("session user" if number == 0 else f"session {number}"), "user_id": key("user 0"), "device": "tests",
        "address": "192.0.2.1", "scopes": [], "generation": 0, "created_at": moment(number), "last_used_at": FAR,
        "expires_at": FAR,
    }  # fmt: skip
