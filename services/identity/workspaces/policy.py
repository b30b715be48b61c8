"""Policies of workspaces and memberships. Resources that belong to a workspace use `workspace_members`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from services.catalogue import ACTOR_ID, ACTOR_WORKSPACE_ID, UNBOUND, Policy, needs, signed_in
from services.catalogue.policies import Rule, Within
from services.identity.workspaces.models import Membership, Role

_RANKED = (Role.VIEWER, Role.EDITOR, Role.OWNER)
_REQUIREMENTS = {
    Role.VIEWER: "Only members of the workspace may do this.",
    Role.EDITOR: "Only editors and owners of the workspace may do this.",
    Role.OWNER: "Only owners of the workspace may do this.",
}


@cache
def workspaces_with(least: Role) -> Callable[[], Select[Any]]:
    """Return the function that selects the keys of workspaces in which the actor has this role or a higher one."""
    sufficient = _RANKED[_RANKED.index(least) :]

    def keys() -> Select[Any]:
        membership = Membership.__table__.alias().c
        is_reachable = or_(UNBOUND, membership.workspace_id == ACTOR_WORKSPACE_ID)
        return select(membership.workspace_id).where(
            membership.user_id == ACTOR_ID, membership.role.in_(sufficient), is_reachable
        )

    return keys


def has_role(workspace_id: ColumnElement[Any], least: Role) -> ColumnElement[bool]:
    """Return the condition that the actor has this role or a higher one in a workspace."""
    return workspace_id.in_(workspaces_with(least)())


def member(least: Role, column: str = "workspace_id") -> Rule:
    """Return the rule that the actor has this role or a higher one in the workspace that a column of the row names."""
    return Within(column, workspaces_with(least), _REQUIREMENTS[least])


def workspace_members(*, read: Role = Role.VIEWER, write: Role = Role.EDITOR, **rules: Rule) -> Policy:
    """Return the policy of a resource in workspaces: roles for reading and writing, and rules for other actions."""
    policy = Policy(read=member(read), create=member(write), update=member(write), delete=member(write))
    policy.rules.update(rules)
    return policy


@needs("Only owners of the workspace may remove other members.")
def _owner_or_themself(membership: Any) -> ColumnElement[bool]:
    return or_(has_role(membership.workspace_id, Role.OWNER), membership.user_id == ACTOR_ID)


@needs("Only signed-in users may open workspaces.", bound="An API key that is bound to a workspace cannot open others.")
def _signed_in_unbound(workspace: Any) -> ColumnElement[bool]:
    return and_(signed_in(workspace), UNBOUND)


workspace_policy = Policy(
    read=member(Role.VIEWER, "id"), create=_signed_in_unbound,
    update=member(Role.OWNER, "id"), delete=member(Role.OWNER, "id"),
)  # fmt: skip
membership_policy = workspace_members(write=Role.OWNER, delete=_owner_or_themself)
