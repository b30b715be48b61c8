"""Who may do what, as SQL.

A `Rule` takes an entity (a mapped class or an alias of it) and returns a predicate over it and the actor, whose values
are the bind parameters `ACTOR_ID`, `ACTOR_SESSION_ID` and `ACTOR_WORKSPACE_ID` (the workspace that an API key is bound
to: a rule that is about the user, and not about a workspace, wants `UNBOUND`). A `Policy` has a rule per action and a
mask per guarded field. What has no rule is allowed to nobody; admins pass every rule and see through every mask.
A rule `list` narrows what a list at the top shows to less than what can be read.

A rule that says that a column is among keys which do not depend on the row (the actor's workspaces) is best written as
`Within`: the Reader then finds the keys once a statement, and can read a list key by key.
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
"""The credential is bound to no workspace: it can do whatever its user can."""
IN_PERSON = ACTOR_SESSION_ID.is_not(null())
"""The user has signed in: this is no API key."""


@dataclass(frozen=True, slots=True)
class Needing:
    """A rule, and what whoever it refuses is told that it takes: see `needs`."""

    rule: Rule
    words: str
    key: str
    bound: str

    def __call__(self, entity: Any) -> ColumnElement[bool]:
        return self.rule(entity)


def needs(words: str, *, key: str = "", bound: str = "") -> Callable[[Rule], Needing]:
    """Decorator of a rule: what it takes, in a sentence, for those whom it refuses (the detail of `forbidden`).

    `key` is said to API keys instead, where the rule refuses them all, and `bound` to those bound to a workspace.
    """
    return lambda rule: Needing(rule, words, key, bound)


def everyone(entity: Any) -> ColumnElement[bool]:
    """Anybody, signed in or not."""
    return true()


@needs("Only admins may do this.")
def nobody(entity: Any) -> ColumnElement[bool]:
    """Admins only."""
    return false()


def signed_in(entity: Any) -> ColumnElement[bool]:
    """Any user."""
    return ACTOR_ID.is_not(null())


@dataclass(frozen=True, slots=True)
class Within:
    """The rule that a column of the row is among the actor's `keys`: a statement that selects one column."""

    column: str
    keys: Callable[[], Select[Any]]
    words: str = ""
    """As of `needs`."""

    def __call__(self, entity: Any) -> ColumnElement[bool]:
        return self.among(entity, self.keys())

    def among(self, entity: Any, keys: Any) -> ColumnElement[bool]:
        """The rule, with the keys selected in another way."""
        column: ColumnElement[Any] = getattr(entity, self.column)
        return column.in_(keys)


class Policy:
    """Rules by action (`read`, `list`, `create`, `update`, `delete`, or an action's own name) and masks by field."""

    def __init__(self, *, read: Rule, masks: Mapping[str, Rule] | None = None, **rules: Rule) -> None:
        self.rules: dict[str, Rule] = {"read": read, **rules}
        self.masks: dict[str, Rule] = dict(masks or {})

    def predicate(self, action: str, entity: Any, actor: Actor) -> ColumnElement[bool]:
        """Whether the actor may do this to a row of the entity. An action without a rule of its own is an update."""
        return true() if actor.is_admin else self._rule(action)(entity)

    def refusal(self, action: str, actor: Actor) -> Problem:
        """The `forbidden` for an actor whom an action's rule refuses. It says what that takes, if the rule does."""
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
        """The actions whose rules a row in a list at the top has to pass."""
        return ("read", "list") if "list" in self.rules else ("read",)

    def within(self, action: str, actor: Actor) -> Within | None:
        """The rule for this, where it is that a column of the row is among the actor's keys."""
        rule = self.rules.get(action)
        return rule if isinstance(rule, Within) and not actor.is_admin else None

    def column(self, field: str, entity: Any, actor: Actor) -> ColumnElement[Any]:
        """A field as the actor may see it: null where its mask does not let them. Filters and sorts use it too."""
        column: ColumnElement[Any] = getattr(entity, field)
        mask = self.masks.get(field)
        if mask is None or actor.is_admin:
            return column
        return case((mask(entity), column), else_=None)
