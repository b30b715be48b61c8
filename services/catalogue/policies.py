"""Policies: access rules as SQL expressions.

A `Rule` takes an entity (a mapped class or an alias of it) and returns a predicate over it and the actor, whose values
are the bind parameters `ACTOR_ID`, `ACTOR_SESSION_ID` and `ACTOR_WORKSPACE_ID` (the workspace that an API key is bound
to; a rule about the user rather than a workspace needs `UNBOUND`). A `Policy` has a rule per action and a mask per
guarded field. An action without a rule is denied; admins pass every rule and every mask. A rule `list` restricts a
top-level list further than the rule `read`.

A rule that tests whether a column is among keys that do not depend on the row (such as the actor's workspaces) should
be a `Within`: the Reader then selects the keys once a statement, and can read a list key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, bindparam, case, false, null, true

from services.catalogue.actors import Actor
from services.catalogue.problems import FORBIDDEN, Problem

Rule = Callable[[Any], ColumnElement[bool]]

ACTOR_ID = bindparam("actor_id", type_=Uuid())
ACTOR_SESSION_ID = bindparam("actor_session_id", type_=Uuid())
ACTOR_WORKSPACE_ID = bindparam("actor_workspace_id", type_=Uuid())

UNBOUND = ACTOR_WORKSPACE_ID.is_(null())
"""True if the credential is not bound to a workspace, so that it can do whatever its user can."""
IN_PERSON = ACTOR_SESSION_ID.is_not(null())
"""True if the user has signed in, as opposed to using an API key."""


@dataclass(frozen=True, slots=True)
class Needing:
    """A rule with the detail of its `forbidden`: see `needs`."""

    rule: Rule
    words: str
    key: str
    bound: str

    def __call__(self, entity: Any) -> ColumnElement[bool]:
        return self.rule(entity)


def needs(words: str, *, key: str = "", bound: str = "") -> Callable[[Rule], Needing]:
    """Decorate a rule with the requirement to report when it denies an action (the detail of `forbidden`).

    `key` is reported to API keys instead, if the rule denies them all, and `bound` to those bound to a workspace.
    """
    return lambda rule: Needing(rule, words, key, bound)


def everyone(entity: Any) -> ColumnElement[bool]:
    """Allow anybody, signed in or not."""
    return true()


@needs("Only admins may do this.")
def nobody(entity: Any) -> ColumnElement[bool]:
    """Allow admins only."""
    return false()


def signed_in(entity: Any) -> ColumnElement[bool]:
    """Allow any user."""
    return ACTOR_ID.is_not(null())


@dataclass(frozen=True, slots=True)
class Within:
    """The rule that a column of the row is among the actor's `keys`, a statement that selects one column."""

    column: str
    keys: Callable[[], Select[Any]]
    words: str = ""
    """The detail of `forbidden`, as in `needs`."""

    def __call__(self, entity: Any) -> ColumnElement[bool]:
        return self.among(entity, self.keys())

    def among(self, entity: Any, keys: Any) -> ColumnElement[bool]:
        """Return the rule for keys that are selected in another way."""
        column: ColumnElement[Any] = getattr(entity, self.column)
        return column.in_(keys)


class Policy:
    """Rules by action (`read`, `list`, `create`, `update`, `delete`, or an action's own name) and masks by field."""

    def __init__(self, *, read: Rule, masks: Mapping[str, Rule] | None = None, **rules: Rule) -> None:
        self.rules: dict[str, Rule] = {"read": read, **rules}
        self.masks: dict[str, Rule] = dict(masks or {})

    def predicate(self, action: str, entity: Any, actor: Actor) -> ColumnElement[bool]:
        """Return whether the actor may perform the action on a row, by default as for `update`."""
        return true() if actor.is_admin else self._rule(action)(entity)

    def refusal(self, action: str, actor: Actor) -> Problem:
        """Return the `forbidden` for an actor that an action's rule denies, with the rule's requirement."""
        rule = self._rule(action)
        words = rule.words if isinstance(rule, (Needing, Within)) else ""
        if isinstance(rule, Needing) and actor.key_id is not None:
            words = (rule.bound if actor.workspace_id is not None else "") or rule.key or words
        return Problem(FORBIDDEN, words or None)

    def _rule(self, action: str) -> Rule:
        return self.rules.get(action) or (
            nobody if action in {"create", "delete"} else self.rules.get("update", nobody)
        )

    @property
    def listing(self) -> Sequence[str]:
        """The actions whose rules apply to the rows of a top-level list."""
        return ("read", "list") if "list" in self.rules else ("read",)

    def within(self, action: str, actor: Actor) -> Within | None:
        """Return the action's rule if it is a `Within` that applies to the actor."""
        rule = self.rules.get(action)
        return rule if isinstance(rule, Within) and not actor.is_admin else None

    def column(self, field: str, entity: Any, actor: Actor) -> ColumnElement[Any]:
        """Return a field's column, for filters and sorts too: null where its mask hides it from the actor."""
        column: ColumnElement[Any] = getattr(entity, field)
        mask = self.masks.get(field)
        if mask is None or actor.is_admin:
            return column
        return case((mask(entity), column), else_=None)
