"""Versions of rows: the same tag on both faces, and a write that expects another one does nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import httpx
import orjson
import pytest

from gateway.settings import Settings
from services.engine.gateway import Gateway
from services.queries.versions import LENGTH, tag_of, tag_of_fields
from services.reader import assembly
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.apps import Running, make_admin, running
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Row, Team, key_of, make_item, make_key, make_label, unknown_id
from tests.support.races import held_up, loaded
from tests.support.state import unchanged
from tests.support.statements import statements

STALE: Final = "A" * LENGTH
CHANGE: Final = {"title": "Changed"}


@pytest.fixture
async def item(face: Face, team: Team) -> Row:
    """An item of the team."""
    return await make_item(face, team.owner, "Wheel", workspace_id=team.id)


def digest(row: Row) -> str:
    """What the tag of a row that is shown so must be."""
    return tag_of(orjson.dumps(row))


WRITES: Final[dict[str, tuple[str, dict[str, Any] | None]]] = {
    "update": ("update_item", CHANGE),
    "delete": ("delete_item", None),
    "action": ("archive_item", None),
}


async def test_version_is_a_digest_of_what_is_shown(face: Face, team: Team, item: Row) -> None:
    for reader in (team.owner, team.editor, team.viewer, await make_key(face, team.viewer)):
        assert await face.version("get_item", reader, item["id"]) == digest(item)


async def test_version_outlives_a_refreshed_token(face: Face, team: Team, item: Row, client: httpx.AsyncClient) -> None:
    again = replace(team.owner, tokens=await sign_in(client, team.owner.username, team.owner.password))
    assert await face.version("get_item", again, item["id"]) == digest(item)


@pytest.mark.parametrize("write", ["update_item", "archive_item", "attach_label"])
async def test_version_changes_with_the_row_and_only_with_it(face: Face, team: Team, item: Row, write: str) -> None:
    label = await make_label(face, team.owner, workspace_id=team.id)
    assert await face.version("get_item", team.viewer, item["id"]) == digest(item)
    data = {"update_item": CHANGE, "attach_label": {"label_id": label["id"]}}.get(write)
    changed = await face.ok(write, team.owner, data, id=item["id"])
    assert await face.version("get_item", team.viewer, item["id"]) == digest(changed) != digest(item)


@pytest.mark.parametrize(("operation", "data"), WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("expected", ["current", "*"])
async def test_write_that_expects_the_version_is_done(
    face: Face, team: Team, item: Row, operation: str, data: Any, expected: str
) -> None:
    given = digest(item) if expected == "current" else expected
    answer = await face.call(operation, team.editor, data, id=item["id"], expected=given)
    assert answer.problem is None
    now = await face.call("get_item", team.owner, id=item["id"])
    assert now.data == answer.data
    assert (now.problem == "not_found") is (operation == "delete_item")


@pytest.mark.parametrize(("operation", "data"), WRITES.values(), ids=WRITES)
async def test_write_that_expects_another_version_does_nothing(
    face: Face, gateway: Gateway, team: Team, item: Row, operation: str, data: Any
) -> None:
    before = digest(item)
    item = await face.ok("update_item", team.owner, {"title": "Meanwhile"}, id=item["id"])
    async with unchanged(gateway):
        for expected in (before, STALE, "", "a" * 5_000):
            answer = await face.call(operation, team.editor, data, id=item["id"], expected=expected)
            assert (answer.problem, answer.status) == ("precondition_failed", 412)
    assert await face.ok("get_item", team.owner, id=item["id"]) == item


REFUSED: Final = {
    "unreadable": ("outsider", "not_found"),
    "readable only": ("viewer", "forbidden"),
    "without scope": ("reader", "insufficient_scope"),
}


@pytest.mark.parametrize(("who", "problem"), REFUSED.values(), ids=REFUSED)
async def test_nothing_is_told_of_versions_to_who_may_not_write(
    face: Face, client: httpx.AsyncClient, team: Team, item: Row, who: str, problem: str
) -> None:
    if who == "reader":
        tokens = await sign_in(client, team.owner.username, team.owner.password, scope="items:read")
        caller = replace(team.owner, tokens=tokens)
    else:
        caller = team.account(who)
    for expected in (digest(item), STALE, "*"):
        answer = await face.call("update_item", caller, CHANGE, id=item["id"], expected=expected)
        assert answer.problem == problem
    assert await face.ok("get_item", team.owner, id=item["id"]) == item


async def test_what_is_not_there_or_not_any_more_is_not_found(face: Face, team: Team, item: Row) -> None:
    await face.ok("delete_item", team.owner, id=item["id"])
    for identifier in (item["id"], unknown_id("itm")):
        for expected in (digest(item), STALE, "*"):
            answer = await face.call("update_item", team.owner, CHANGE, id=identifier, expected=expected)
            assert (answer.problem, answer.status) == ("not_found", 404)


async def test_wrong_input_is_told_before_the_version(face: Face, team: Team, item: Row) -> None:
    answer = await face.call("update_item", team.owner, {"title": ""}, id=item["id"], expected=STALE)
    assert (answer.problem, answer.errors) == ("validation_failed", {"title": "length"})


async def test_reference_that_is_not_there_is_told_after_the_version(face: Face, team: Team, item: Row) -> None:
    data = {"label_id": unknown_id("lbl")}
    answer = await face.call("attach_label", team.owner, data, id=item["id"], expected=STALE)
    assert answer.problem == "precondition_failed"


async def test_key_writes_with_the_version_that_it_reads(face: Face, team: Team, item: Row) -> None:
    key = await make_key(face, team.owner, workspace_id=team.id)
    version = await face.version("get_item", key, item["id"])
    assert (await face.call("update_item", key, CHANGE, id=item["id"], expected=STALE)).problem == "precondition_failed"
    assert (await face.ok("update_item", key, CHANGE, id=item["id"], expected=version))["title"] == "Changed"


async def test_version_of_who_sees_more_is_another_one(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, ada: Account, eve: Account
) -> None:
    """Somebody's e-mail address, and whether it is theirs, is for themself and for admins."""
    admin = await make_admin(gateway, client, await sign_up(client))
    shown = await face.ok("get_user", ada, id=ada.id)
    versions = [await face.version("get_user", each, ada.id) for each in (ada, admin, eve)]
    assert versions == [digest(shown), digest(shown), digest({**shown, "email": None, "email_verified": None})]


async def test_hidden_field_cannot_be_guessed_by_its_version(
    face: Face, gateway: Gateway, client: httpx.AsyncClient, ada: Account, eve: Account
) -> None:
    """Who knows all but the address computes the tag for each address: none is of a row that they see."""
    admin = await make_admin(gateway, client, await sign_up(client))
    shown = await face.ok("get_user", eve, id=ada.id)
    right = digest({**shown, "email": f"{ada.username}@example.com", "email_verified": False})
    assert right == await face.version("get_user", admin, ada.id)
    async with unchanged(gateway):
        for guess in (right, digest(shown), STALE):
            assert (await face.call("update_user", eve, {}, id=ada.id, expected=guess)).problem == "forbidden"
    done = await face.call("update_user", admin, {"full_name": "Ada"}, id=ada.id, expected=digest(shown))
    assert done.problem == "precondition_failed"
    assert (await face.ok("update_user", admin, {"full_name": "Ada"}, id=ada.id, expected=right))["full_name"] == "Ada"


@pytest.mark.parametrize("second", WRITES)
async def test_of_two_writers_with_one_version_one_is_refused(
    face: Face, gateway: Gateway, team: Team, item: Row, second: str
) -> None:
    operation, data = WRITES[second]
    async with loaded(gateway, team.owner, "item", key_of(item["id"]), "update") as session:
        first = await held_up(
            gateway, face.call("update_item", team.owner, {"title": "First"}, id=item["id"], expected=digest(item))
        )
        other = await held_up(
            gateway, face.call(operation, team.editor, data, id=item["id"], expected=digest(item)), number=2
        )
        await session.rollback()
    assert [(await first).problem, (await other).problem] == [None, "precondition_failed"]
    now = await face.ok("get_item", team.owner, id=item["id"])
    assert (now["title"], now["status"], now["version"]) == ("First", "open", 2)


async def test_only_a_version_that_is_expected_costs_a_statement(
    face: Face, gateway: Gateway, team: Team, item: Row
) -> None:
    await face.ok("update_item", team.owner, {"title": "One"}, id=item["id"])
    with statements(gateway) as without:
        await face.ok("update_item", team.owner, {"title": "Two"}, id=item["id"])
    version = await face.version("get_item", team.owner, item["id"])
    with statements(gateway) as expecting:
        await face.ok("update_item", team.owner, {"title": "Three"}, id=item["id"], expected=version)
    assert len(expecting) == len(without) + 1


@pytest.fixture(scope="module")
async def strict(settings: Settings) -> AsyncIterator[Running]:
    """A gateway on which nobody changes what they have not read."""
    async with running(settings.model_copy(update={"REQUIRE_PRECONDITIONS": True})) as found:
        yield found


@pytest.mark.parametrize("name", ["rest", "graphql"])
@pytest.mark.parametrize(("operation", "data"), WRITES.values(), ids=WRITES)
async def test_version_can_be_demanded(strict: Running, name: str, operation: str, data: Any) -> None:
    face, ada = strict.face(name), await sign_up(strict.client)
    eve = await sign_up(strict.client)
    item = await make_item(face, ada)
    async with unchanged(strict.gateway):
        answer = await face.call(operation, ada, data, id=item["id"])
        assert (answer.problem, answer.status) == ("precondition_required", 428)
        stranger = await face.call(operation, eve, data, id=item["id"])
        assert (stranger.problem, stranger.status) == ("not_found", 404)
    answer = await face.call(operation, ada, data, id=item["id"], expected=digest(item))
    assert answer.problem is None


async def test_demanded_version_is_not_if_none_match(strict: Running) -> None:
    rest = RestFace(strict.client, strict.gateway.catalogue)
    ada = await sign_up(strict.client)
    item = await make_item(rest, ada)
    for value in (f'"{STALE}"', f'"{digest(item)}"', "*"):
        answer = await rest.send("DELETE", f"/items/{item['id']}", ada, headers={"If-None-Match": value})
        assert answer.status_code == 428
    assert await rest.get(f"/items/{item['id']}", ada) == item


async def test_both_faces_know_one_version(rest: RestFace, graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(rest, ada, description="ä\u2028\"'", label_ids=[(await make_label(rest, ada))["id"]])
    tag = await rest.version("get_item", ada, item["id"])
    fields = "etag ... on Node { id } labels { nodes { etag items { edges { node { etag } } } } }"
    query = f'{{ a: item(id: "{item["id"]}") {{ {fields} }} node(id: "{item["id"]}") {{ ... on Item {{ etag }} }} }}'
    found = await graphql.data(query, None, ada)
    assert found["a"]["etag"] == found["node"]["etag"] == tag
    (label,) = found["a"]["labels"]["nodes"]
    assert label["items"]["edges"][0]["node"]["etag"] == tag
    mutation = """mutation($input: UpdateItemInput!) { updateItem(input: $input) { item { etag again: etag } } }"""
    for other in (f"{tag}-br", f"{tag[1:]}-gzip"):
        answer = await graphql.call("update_item", ada, {"title": "Next"}, id=item["id"], expected=other)
        assert answer.problem == "precondition_failed"
    # As REST has it where the answer was compressed.
    given = {"id": item["id"], "expectedVersion": f"{tag}-gzip", "title": "Next"}
    changed = await graphql.data(mutation, {"input": given}, ada)
    next_tag = await rest.version("get_item", ada, item["id"])
    assert changed == {"updateItem": {"item": {"etag": next_tag, "again": next_tag}}}


async def test_version_of_a_row_is_made_once_however_often_it_is_shown(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest of twenty thousand letters, a thousand times a row, would be an attack."""
    if gateway.reader is None:
        pytest.skip("plans only")
    items = [await make_item(graphql, ada, title) for title in ("one", "two", "three")]
    made: list[Any] = []

    def counted(shown: Any) -> str:
        made.append(shown["id"])
        return tag_of_fields(shown)

    monkeypatch.setattr(assembly, "tag_of_fields", counted)
    shown = "a: etag b: etag parent { etag } creator { etag again: etag } c: creator { etag }"
    query = f"{{ items {{ x: nodes {{ {shown} }} y: nodes {{ etag }} edges {{ node {{ etag }} }} }} }}"
    found = (await graphql.data(query, None, ada))["items"]
    assert sorted(made) == sorted([*(each["id"] for each in items), *[ada.id] * 3])
    tags = [digest(each) for each in reversed(items)]
    assert [each["etag"] for each in found["y"]] == [each["node"]["etag"] for each in found["edges"]] == tags
    assert [(each["a"], each["b"], each["parent"]) for each in found["x"]] == [(tag, tag, None) for tag in tags]
    one = f'{{ item(id: "{items[0]["id"]}") {{ {shown} again: etag }} }}'
    made.clear()
    assert (await graphql.data(one, None, ada))["item"]["again"] == tags[-1]
    assert sorted(made) == sorted([items[0]["id"], ada.id])


@pytest.mark.parametrize("given", ["null", None])
async def test_no_version_is_expected_by_null(graphql: GraphQLFace, ada: Account, given: str | None) -> None:
    item = await make_item(graphql, ada)
    head, expected = ("", given) if given else ("($v: String)", "$v")
    taken = f'{{id: "{item["id"]}", title: "Next", expectedVersion: {expected}}}'
    text = f"mutation{head} {{ updateItem(input: {taken}) {{ item {{ title }} }} }}"
    assert await graphql.data(text, None, ada) == {"updateItem": {"item": {"title": "Next"}}}
