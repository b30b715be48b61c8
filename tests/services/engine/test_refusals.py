"""Whoever is refused is told whom the action is allowed to, in the same words on both faces."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.catalogue import Policy, everyone
from services.catalogue.actors import Actor
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.faces import CallResult, Face, GraphQLFace, RestFace
from tests.support.factories import Team, make_comment, make_item, make_key, make_label, unique
from tests.support.uploads import announced, make_file

EDITORS = "Only editors and owners of the workspace may do this."
THEMSELVES = "Only users themselves and admins may do this."
OWNERS = "Only owners of the workspace may do this."
SENDERS = (
    "Only the user who announced a file may send and complete it, while they are an editor or owner of the workspace."
)
NOT_THEIRS = (
    "Only its own user may make or rotate an API key, and one that is bound to a workspace only while they own that."
)
NOT_BY_KEY = "An API key cannot make or rotate keys, itself included: call with the access token of a session."


def said(answer: CallResult) -> tuple[str | None, int, str]:
    assert answer.members is not None
    return answer.problem, answer.status, answer.members["detail"]


def forbidden(words: str) -> tuple[str, int, str]:
    return "forbidden", 403, words


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_key_that_would_rotate_itself_is_told_to_sign_in(face: Face, ada: Account, header: str) -> None:
    key = await make_key(face, ada, header=header)
    assert said(await face.call("rotate_api_key", key, {}, id=key.key_id)) == forbidden(NOT_BY_KEY)
    made = await face.call("create_api_key", key, {"name": "Another", "scopes": ["items:read"]})
    assert said(made) == forbidden(NOT_BY_KEY)
    assert (await face.ok("me", key))["id"] == ada.id


async def test_owner_who_would_rotate_another_s_key_is_told_whose_it_is(face: Face, team: Team) -> None:
    await face.ok("update_membership", team.owner, {"role": "owner"}, id=team.memberships["editor"]["id"])
    key = await make_key(face, team.editor, workspace_id=team.id)
    assert said(await face.call("rotate_api_key", team.owner, {}, id=key.key_id)) == forbidden(NOT_THEIRS)


async def test_key_that_is_bound_to_a_workspace_is_told_what_it_cannot_do(face: Face, team: Team) -> None:
    key = await make_key(face, team.owner, workspace_id=team.id)
    opened = await face.call("create_workspace", key, {"name": "Another", "slug": unique("another")})
    assert said(opened) == forbidden("An API key that is bound to a workspace cannot open others.")
    renamed = await face.call("update_user", key, {"full_name": "New"}, id=team.owner.id)
    assert said(renamed) == forbidden("An API key that is bound to a workspace cannot change accounts.")


async def test_member_is_told_which_role_it_takes(face: Face, team: Team) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    item = await make_item(face, team.owner, workspace_id=team.id)
    comment = await make_comment(face, team.owner, item)
    file = await make_file(face, team.owner, workspace_id=team.id)
    of_comment = "Only its author may change a comment, while they are an editor or owner of the workspace."
    calls: list[tuple[Account, str, dict[str, Any], str | None, str]] = [
        (team.viewer, "create_item", {"title": "A", "workspace_id": team.id}, None, EDITORS),
        (team.viewer, "update_item", {"title": "A"}, item["id"], EDITORS),
        (team.viewer, "archive_item", {}, item["id"], EDITORS),
        (team.viewer, "delete_label", {}, label["id"], EDITORS),
        (team.viewer, "create_file", announced(b"", workspace_id=team.id), None, EDITORS),
        (team.viewer, "create_comment", {"item_id": item["id"], "body": "A"}, None, EDITORS),
        (team.editor, "update_comment", {"body": "A"}, comment["id"], of_comment),
        (team.editor, "delete_comment", {}, comment["id"],
         "Only its author and owners of the workspace may delete a comment."),
        (team.editor, "update_workspace", {"name": "A"}, team.id, OWNERS),
        (team.editor, "update_membership", {"role": "viewer"}, team.memberships["viewer"]["id"], OWNERS),
        (team.editor, "delete_membership", {}, team.memberships["viewer"]["id"],
         "Only owners of the workspace may remove other members."),
        (team.editor, "create_invitation", {"workspace_id": team.id, "email": "a@example.com", "role": "viewer"}, None,
         OWNERS),
        (team.editor, "complete_file", {}, file["id"], SENDERS),
        (team.editor, "update_user", {"full_name": "A"}, team.owner.id, THEMSELVES),
        (team.editor, "activate_user", {}, team.owner.id, "Only admins may do this."),
    ]  # fmt: skip
    for actor, operation, data, id, words in calls:
        assert said(await face.call(operation, actor, data, id=id)) == forbidden(words), operation


async def test_bytes_of_another_s_file_are_refused_with_the_same_words(
    rest: RestFace, client: httpx.AsyncClient, gateway: Gateway, team: Team
) -> None:
    made = await rest.ok("create_file", team.owner, announced(b"abc", workspace_id=team.id))
    answer = await rest.send("PUT", f"/files/{made['id']}/content", team.editor, content=b"abc")
    assert (answer.status_code, answer.json()["detail"]) == (403, SENDERS)


async def test_whatever_refuses_says_whom_it_allows(gateway: Gateway) -> None:
    """Every rule of the catalogue by which somebody who may read a row can be refused."""
    silent = []
    for operation in gateway.catalogue.operations.values():
        if operation.resource is not None and operation.action and not operation.is_read:
            policy, problem = operation.resource.policy, operation.resource.policy.refusal(operation.action, Actor())
            if problem.detail == problem.type.title and not _follows_from_reading(policy, operation.action):
                silent.append(operation.name)
    assert silent == []


def _follows_from_reading(policy: Policy, action: str) -> bool:
    """Whether everybody who may read a row is allowed this, or anybody at all is."""
    return policy.rules.get(action) in (policy.rules["read"], everyone)


async def test_version_of_an_item_is_told_from_its_entity_tag_in_both_contracts(
    graphql: GraphQLFace, client: httpx.AsyncClient
) -> None:
    asked = '{ __type(name: "Item") { fields { name description } } }'
    fields = (await graphql.data(asked))["__type"]["fields"]
    found = {each["name"]: each["description"] for each in fields if each["name"] in ("version", "etag")}
    contract = (await client.get("/api/v1/openapi.json")).json()["components"]["schemas"]["Item"]["properties"]
    assert found["version"] == contract["version"]["description"]
    assert found["version"].endswith(
        "in GraphQL `etag`, for `expectedVersion`; in REST the header `ETag`, for `If-Match`."
    )
    assert found["etag"] == (
        "Its entity tag, which changes with whatever is shown of it: REST's `ETag`, and what `expectedVersion` takes. "
        "The field `version` is another thing."
    )
