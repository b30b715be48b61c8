"""Who may do what in a workspace. Everything that lives in one uses `workspace_members`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import aliased

from services.catalogue import ACTOR_ID, ACTOR_WORKSPACE_ID, UNBOUND, Policy, needs, signed_in
from services.catalogue.policies import Rule, Within
from services.identity.workspaces.models import Membership, Role

_RANKED = (Role.VIEWER, Role.EDITOR, Role.OWNER)
_WHO = {
    Role.VIEWER: "Only members of the workspace may do this.",
    Role.EDITOR: "Only editors and owners of the workspace may do this.",
    Role.OWNER: "Only owners of the workspace may do this.",
}


@cache
def workspaces_with(least: Role) -> Callable[[], Select[Any]]:
    """The workspaces in which the actor has this role or a higher one; the same object for the same role."""
    enough = _RANKED[_RANKED.index(least) :]

    def keys() -> Select[Any]:
        membership = aliased(Membership)
        reached = or_(UNBOUND, membership.workspace_id == ACTOR_WORKSPACE_ID)
        return select(membership.workspace_id).where(
            membership.user_id == ACTOR_ID, membership.role.in_(enough), reached
        )

    return keys


def has_role(workspace_id: ColumnElement[Any], least: Role) -> ColumnElement[bool]:
    """Whether the actor is a member of the workspace with this role or a higher one."""
    return workspace_id.in_(workspaces_with(least)())


def member(least: Role) -> Rule:
    """The rule that the actor has at least this role in the row's workspace."""
    return Within("workspace_id", workspaces_with(least), _WHO[least])


def workspace_members(*, read: Role = Role.VIEWER, write: Role = Role.EDITOR, **rules: Rule) -> Policy:
    """The policy of what lives in a workspace: who may read, who may write, and rules of single actions."""
    policy = Policy(read=member(read), create=member(write), update=member(write), delete=member(write))
    policy.rules.update(rules)
    return policy


def _role_in(least: Role) -> Rule:
    return Within("id", workspaces_with(least), _WHO[least])


@needs("Only owners of the workspace may remove other members.")
def _owner_or_themself(membership: Any) -> ColumnElement[bool]:
    return or_(has_role(membership.workspace_id, Role.OWNER), membership.user_id == ACTOR_ID)


@needs("Only signed-in users may open workspaces.", bound="An API key that is bound to a workspace cannot open others.")
def _anybody(workspace: Any) -> ColumnElement[bool]:
    """Whoever is signed in opens workspaces; a key that is bound to one does not open others."""
    return and_(signed_in(workspace), UNBOUND)


workspace_policy = Policy(
    read=_role_in(Role.VIEWER), create=_anybody, update=_role_in(Role.OWNER), delete=_role_in(Role.OWNER)
)
membership_policy = workspace_members(write=Role.OWNER, delete=_owner_or_themself)
