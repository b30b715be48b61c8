"""Policy of API keys: users manage their own, owners of a workspace read and revoke those that are bound to it.

Keys are created and rotated in a session, by their own user: a key cannot create another, and nobody obtains the secret
of a key that acts as another user.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from services.catalogue import ACTOR_ID, IN_PERSON, UNBOUND, Policy, needs
from services.identity.workspaces.models import Role
from services.identity.workspaces.policy import has_role


def own_or_of_workspace(key: Any) -> ColumnElement[bool]:
    return or_(and_(key.user_id == ACTOR_ID, UNBOUND), has_role(key.workspace_id, Role.OWNER))


@needs(
    "Only its own user may make or rotate an API key, and one that is bound to a workspace only while they own that.",
    key="An API key cannot make or rotate keys, itself included: call with the access token of a session.",
)
def made_in_person(key: Any) -> ColumnElement[bool]:
    """Select keys of the actor, in a session, that are bound to no workspace or to one that the actor owns."""
    is_bindable = or_(key.workspace_id.is_(None), has_role(key.workspace_id, Role.OWNER))
    return and_(IN_PERSON, key.user_id == ACTOR_ID, is_bindable)


policy = Policy(read=own_or_of_workspace, create=made_in_person, delete=own_or_of_workspace, rotate=made_in_person)
