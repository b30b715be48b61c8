"""Policies as SQL: what has no rule, what admins may, what a mask hides."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql

from services.catalogue import ANONYMOUS, Actor, Policy, everyone, new_key, nobody, signed_in
from services.catalogue.policies import Rule
from services.identity.users.models import User

USER = Actor(new_key())
ADMIN = Actor(new_key(), is_admin=True)


def named(name: str) -> Rule:
    """A rule that can be told by its SQL."""

    def rule(entity: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = entity.username == name
        return found

    return rule


def sql(expression: Any) -> str:
    bound = expression.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    return str(bound)


WHOLE = Policy(read=named("r"), create=named("c"), update=named("u"), delete=named("d"), archive=named("a"))
READ_ONLY = Policy(read=named("r"))
NO_DELETE = Policy(read=named("r"), update=named("u"))


@pytest.mark.parametrize(
    ("policy", "action", "expected"),
    [
        (WHOLE, "read", "users.username = 'r'"),
        (WHOLE, "create", "users.username = 'c'"),
        (WHOLE, "update", "users.username = 'u'"),
        (WHOLE, "delete", "users.username = 'd'"),
        (WHOLE, "archive", "users.username = 'a'"),
        (WHOLE, "publish", "users.username = 'u'"),
        (NO_DELETE, "publish", "users.username = 'u'"),
        (NO_DELETE, "create", "false"),
        (NO_DELETE, "delete", "false"),
        (READ_ONLY, "update", "false"),
        (READ_ONLY, "publish", "false"),
    ],
)
def test_action_without_a_rule_is_an_update_and_without_that_is_nobody_s(
    policy: Policy, action: str, expected: str
) -> None:
    assert sql(policy.predicate(action, User, USER)) == expected
    assert sql(policy.predicate(action, User, ANONYMOUS)) == expected


def test_rule_of_lists_is_asked_besides_that_of_reading() -> None:
    assert list(Policy(read=named("r")).listing) == ["read"]
    assert list(Policy(read=named("r"), list=named("l")).listing) == ["read", "list"]


@pytest.mark.parametrize("action", ["read", "create", "update", "delete", "publish"])
def test_admin_passes_every_rule(action: str) -> None:
    assert sql(READ_ONLY.predicate(action, User, ADMIN)) == "true"


def test_mask_hides_a_field_from_all_but_its_rule_and_admins() -> None:
    policy = Policy(read=everyone, masks={"email": named("ada")})
    assert sql(policy.column("email", User, USER)) == "CASE WHEN (users.username = 'ada') THEN users.email END"
    assert sql(policy.column("email", User, ADMIN)) == "users.email"
    assert sql(policy.column("username", User, USER)) == "users.username"


def test_common_rules() -> None:
    assert (sql(everyone(User)), sql(nobody(User))) == ("true", "false")
    assert str(signed_in(User).compile(dialect=postgresql.dialect())) == "%(actor_id)s::UUID IS NOT NULL"  # type: ignore[no-untyped-call]
    assert USER.parameters() == {"actor_id": USER.user_id, "actor_session_id": None, "actor_workspace_id": None}
    assert ANONYMOUS.parameters() == dict.fromkeys(["actor_id", "actor_session_id", "actor_workspace_id"])
    assert (str(USER), str(ANONYMOUS)) == (f"usr_{USER.user_id.hex if USER.user_id else ''}", "anonymous")
