from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import Uuid, select  # noqa: TID251 - locks, and owners whom the caller need not be able to read

from services.catalogue import Call, Problem, new_key
from services.catalogue.problems import CONFLICT
from services.identity.users.models import User
from services.identity.users.resource import users
from services.identity.workspaces.models import Membership, Role, Workspace
from services.identity.workspaces.resource import memberships, workspaces
from services.identity.workspaces.schemas import MembershipCreate, MembershipUpdate, WorkspaceCreate, WorkspaceUpdate
from services.storage.base import folded
from services.storage.flushing import flush
from services.storage.prepared import Prepared, given
from services.storage.rows import assign, select_readable

_PERSONAL = Prepared(select(Workspace.id).where(Workspace.personal_user_id == given("user_id", Uuid())))

list_workspaces, get_workspace = workspaces.list(), workspaces.get()
list_memberships, get_membership = memberships.list(), memberships.get()


async def _keep_personal(call: Call, workspace: Workspace) -> None:
    if workspace.personal_user_id is not None:
        raise Problem(CONFLICT, "A personal workspace cannot be deleted.")


delete_workspace = workspaces.delete(before=_keep_personal)


async def open_workspace(call: Call, owner_id: UUID, *, name: str, slug: str, personal: bool = False) -> Workspace:
    workspace = Workspace(id=new_key(), name=name, slug=slug, personal_user_id=owner_id if personal else None)
    call.session.add(workspace)
    await flush(call.session)
    call.session.add(Membership(workspace_id=workspace.id, user_id=owner_id, role=Role.OWNER))
    await flush(call.session)
    return workspace


def personal_slug(username: str) -> str:
    """Return a slug of the user name and 32 random bits, so that it cannot be taken in advance."""
    words = re.sub(r"[^a-z0-9]+", "-", username.lower()).strip("-") or "user"
    return f"{words}-{new_key().hex[-8:]}"


async def usual_workspace_id(call: Call) -> UUID:
    """Return the key of the default workspace: the one that the API key is bound to, else the personal one."""
    if call.actor.workspace_id is not None:
        return call.actor.workspace_id
    key: UUID = await _PERSONAL.value(call.session, {"user_id": call.user_id})
    return key


@workspaces.create(statements=2)
async def create_workspace(call: Call, data: WorkspaceCreate) -> Workspace:
    """Open a workspace; the caller becomes its owner."""
    return await open_workspace(call, call.user_id, name=data.name, slug=data.slug)


@workspaces.update(example={"name": "Analytical Engine No. 2"})
async def update_workspace(call: Call, row: Workspace, data: WorkspaceUpdate) -> Workspace:
    """Change a workspace's name or slug."""
    assign(row, data)
    return row


@memberships.create(statements=3)
async def create_membership(call: Call, data: MembershipCreate) -> Membership:
    """Invite a user into a workspace by user name."""
    rows = await select_readable(call, users, folded(User.username) == folded(data.username), User.is_active.is_(True))
    if not rows:
        raise Problem.field("username", "not_found", "There is no such user.")
    membership = Membership(workspace_id=data.workspace_id, user_id=rows[0].id, role=data.role)
    call.session.add(membership)
    return membership


async def lock_workspace(call: Call, workspace_id: UUID) -> Workspace:
    """Return the workspace, locked against concurrent changes of its members or its tree; inserts are not blocked."""
    statement = select(Workspace).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    return (await call.session.execute(statement)).scalar_one()


async def _keep_an_owner(call: Call, membership: Membership) -> None:
    """Raise `conflict` if no other active user owns the workspace, or if it is the member's personal one."""
    # Locked, so that two owners can't both leave.
    workspace = await lock_workspace(call, membership.workspace_id)
    if workspace.personal_user_id == membership.user_id:
        raise Problem(CONFLICT, "A personal workspace belongs to its user.")
    others = (Membership.workspace_id == workspace.id, Membership.id != membership.id, Membership.role == Role.OWNER)
    owners = select(Membership.id).join(User, User.id == Membership.user_id).where(*others, User.is_active).limit(1)
    if membership.role is Role.OWNER and not (await call.session.execute(owners)).first():
        raise Problem(CONFLICT, "A workspace keeps at least one owner.")


@memberships.update(statements=3, example={"role": "viewer"})
async def update_membership(call: Call, row: Membership, data: MembershipUpdate) -> Membership:
    """Give a member another role."""
    if data.changes().get("role", row.role) is not row.role:
        await _keep_an_owner(call, row)
    assign(row, data)
    return row


delete_membership = memberships.delete(before=_keep_an_owner, statements=3)
