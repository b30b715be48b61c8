from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import delete, select  # noqa: TID251 - the mailed token is the permission

from services.catalogue import Call, Problem, new_key, procedure
from services.catalogue.problems import CONFLICT, FORBIDDEN, TOO_MANY_REQUESTS
from services.identity.auth.throttle import SignInThrottle
from services.identity.invitations.jobs import deliver_invitation, is_valid
from services.identity.invitations.models import Invitation
from services.identity.invitations.resource import invitations
from services.identity.invitations.schemas import InvitationAccept, InvitationCreate, Joined
from services.identity.mail.config import MailConfig
from services.identity.mail.jobs import ASKING, Mail
from services.identity.mail.messages import MailKind
from services.identity.mail.tokens import digest_of, new_token, spent
from services.identity.users.models import User
from services.identity.workspaces.models import Membership
from services.identity.workspaces.resource import workspaces
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.base import folded
from services.storage.flushing import flush
from services.storage.rows import load_for_update

LIFETIME: Final = timedelta(days=7)

list_invitations, get_invitation = invitations.list(), invitations.get()
delete_invitation = invitations.delete(description="Revoke an invitation: its link becomes invalid.")


@invitations.create(problems=[TOO_MANY_REQUESTS], statements=4 + STATEMENTS, cost=ASKING)
async def create_invitation(call: Call, data: InvitationCreate) -> Invitation:
    """Invite somebody into a workspace by mail, for seven days. The answer is the same whether or not the address has
    an account.
    """
    # First, since a conflict would tell callers who are not owners whom the owners have invited.
    workspace = await load_for_update(call, workspaces, data.workspace_id, "update")
    token = new_token()
    is_same = (Invitation.workspace_id == data.workspace_id, folded(Invitation.email) == folded(data.email))
    row = Invitation(
        id=new_key(), workspace_id=data.workspace_id, email=data.email, role=data.role, user_id=call.user_id,
        digest=digest_of(token), created_at=call.now, expires_at=call.now + LIFETIME,
    )  # fmt: skip
    # An expired invitation does not conflict.
    await call.session.execute(delete(Invitation).where(*is_same, Invitation.expires_at <= call.now))
    call.session.add(row)
    await flush(call.session)
    throttle, by = call.part(SignInThrottle), call.user_id.hex
    await throttle.mail(MailKind.INVITATION, data.email, address=call.client.address, account=by)
    inviter = (await call.session.execute(select(User.username).where(User.id == row.user_id))).scalar_one()
    facts = {"workspace": workspace.name, "inviter": inviter, "role": row.role.value, "hours": "7 days"}
    mail = Mail(kind=MailKind.INVITATION, to=row.email, token=SecretStr(token), good_until=row.expires_at, facts=facts)
    if call.part(MailConfig).is_on:
        await enqueue(call, deliver_invitation, mail)
    return row


@procedure(
    "invitations/accept", scope="memberships:write", problems=[CONFLICT, FORBIDDEN, TOO_MANY_REQUESTS],
    emits="membership.created", statements=3,
)  # fmt: skip
async def accept_invitation(call: Call, data: InvitationAccept) -> Joined:
    """Become a member of the workspace that a mail invites into, with the token of its link.

    Any holder of the mail may accept it while the inviter may still invite, since people have several addresses.
    """
    if call.actor.workspace_id is not None:
        raise Problem(FORBIDDEN, "An API key that is bound to a workspace cannot join another.")
    await call.part(SignInThrottle).address(call.client.address)
    valid = is_valid(data.token.get_secret_value(), call.now)
    used = delete(Invitation).where(*valid).returning(Invitation.workspace_id, Invitation.role)
    invitation = (await call.session.execute(used)).one_or_none()
    if invitation is None:
        raise spent()
    is_own = (Membership.workspace_id == invitation.workspace_id, Membership.user_id == call.user_id)
    if (await call.session.execute(select(Membership.id).where(*is_own))).first():
        raise Problem(CONFLICT, "You are a member of this workspace already.")
    membership = Membership(
        id=new_key(), workspace_id=invitation.workspace_id, user_id=call.user_id, role=invitation.role,
        created_at=call.now,
    )  # fmt: skip
    call.session.add(membership)
    call.trace.row = membership
    return Joined(membership_id=membership.id, workspace_id=membership.workspace_id)
