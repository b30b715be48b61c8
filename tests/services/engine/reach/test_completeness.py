"""Nothing is open because somebody forgot to say what it needs."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from sqlalchemy import Index, Table, UniqueConstraint

from gateway.parity.report.matrix import Cells
from gateway.settings import DEFAULT_MODULES
from graphql_schema.schema.schema import build_schema
from rest.openapi.document import openapi_document
from services.catalogue import Catalogue, Kind, Operation, Policy
from services.catalogue.naming import ETAG, camel, pascal
from services.catalogue.resources import Resource

TENANT = "workspace_id"
OPEN_TO_ALL = {
    "create_user": "Whoever signs up has no account yet.",
    "login": "Its input is the credential.",
    "refresh_token": "Its input is the credential.",
    "revoke": "Its input is the credential.",
    "verify_email": "Its input is the credential.",
    "confirm_email": "Its input is the credential.",
    "reset_password": "Its input is the credential.",
    "resend_verification": "Whoever asks for it cannot sign in, perhaps; the answer is the same for every address.",
    "forgot_password": "Whoever asks for it cannot sign in; the answer is the same for every address.",
}
"""Operations that ask for nothing, and why."""
FOR_ANY_USER = {
    "logout": "Whatever a token may do, its holder may end its session.",
    "introspect": "Whatever a token may do, its holder may ask about it.",
}
"""Operations for which no scope was stated and none follows from a resource, and why being signed in is enough."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load(DEFAULT_MODULES)


def without_scope(catalogue: Catalogue, scope: str | None) -> set[str]:
    """The operations whose scope is this one."""
    return {each.name for each in catalogue.operations.values() if each.scope == scope}


def test_operations_without_a_scope_have_a_reason(catalogue: Catalogue) -> None:
    assert without_scope(catalogue, None) == set(OPEN_TO_ALL)
    assert without_scope(catalogue, "") == set(FOR_ANY_USER)


def test_every_resource_says_who_may_do_what_is_done_with_it(catalogue: Catalogue) -> None:
    for resource in catalogue.resources.values():
        assert isinstance(resource.policy, Policy)
        assert "read" in resource.policy.rules
    assert [each.name for each in catalogue.operations.values() if not is_ruled(each)] == []


def is_ruled(operation: Operation) -> bool:
    """Whether the policy has a rule for an operation's action: its own, or for anything else done to a row, `update`.

    Without one the operation is for admins only, which has to be said: `activate=nobody`.
    """
    if operation.resource is None:
        return True
    rules = operation.resource.policy.rules
    falls_back = operation.kind in (Kind.UPDATE, Kind.ACTION)
    return operation.action in rules or (falls_back and "update" in rules)


def public_in_graphql(schema: strawberry.Schema, resource: Resource[Any]) -> set[str]:
    """The fields of a resource's type, save its version, which REST has as a header."""
    kind: Any = schema._schema.get_type(pascal(resource.name))
    return set(kind.fields) - {ETAG}


def test_public_fields_are_those_of_the_read_model_and_relations(catalogue: Catalogue) -> None:
    document, schema = openapi_document(catalogue, title="", version="", prefix=""), build_schema(catalogue)
    for resource in catalogue.resources.values():
        known = {*resource.fields, *resource.relations}
        assert public_in_graphql(schema, resource) == {camel(each) for each in known}
        assert set(document["components"]["schemas"][pascal(resource.name)]["properties"]) == known
        assert all(resource.fields[name].nullable for name in resource.policy.masks)


def test_matrix_has_every_operation_relation_and_mask_with_its_scope(catalogue: Catalogue, recorded: Cells) -> None:
    documented = {name: cells[0] for (name, _), cells in recorded.items()}
    for operation in catalogue.operations.values():
        scope = operation.scope or ("open to all" if operation.scope is None else "any user")
        assert documented.get(operation.name) == scope, operation.name
    for resource in catalogue.resources.values():
        assert {f"{resource.name}.{each}" for each in (*resource.relations, *resource.policy.masks)} <= set(documented)


def tables(catalogue: Catalogue) -> set[Table]:
    """Every table whose rows the resources are, and those that link them."""
    found = {each.table for each in catalogue.resources.values()}
    links = {r.through for each in catalogue.resources.values() for r in each.relations.values()}
    return found | {each for each in links if each is not None}


def unique(table: Table) -> list[UniqueConstraint | Index]:
    """What a table wants to be unique; keys aside, which nobody can choose."""
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    return [*constraints, *(each for each in table.indexes if each.unique)]


def test_whatever_is_unique_beyond_a_workspace_may_be_known_to_exist(catalogue: Catalogue) -> None:
    """A uniqueness error tells that a row exists, which for rows that are not readable is a leak unless meant."""
    known = [each for table in tables(catalogue) for each in unique(table)]
    assert len(known) > 5
    beyond = [each for each in known if TENANT not in {column.name for column in each.columns}]
    assert [str(each.name) for each in beyond if not each.info.get("public")] == []
    assert {tuple(column.name for column in each.columns) for each in beyond} == {
        ("email",), ("username",), ("slug",), ("personal_user_id",), ("secret_hash",), ("previous_hash",),
        ("digest",), ("once",),
    }  # fmt: skip
