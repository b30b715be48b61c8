"""Many changes in one call: all in one transaction, or each with a result of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.catalogue.batches import MAX_ENTRIES
from services.engine.gateway import Gateway
from tests.support.accounts import Account
from tests.support.audit import recorded
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import Row, Team, make_item, make_key, make_label, unknown_id
from tests.support.state import unchanged

BOTH = pytest.mark.parametrize("atomic", [True, False], ids=["at once", "one by one"])


@pytest.fixture
async def item(face: Face, ada: Account) -> Row:
    """An item."""
    return await make_item(face, ada)


async def titles(face: Face, actor: Account) -> list[str]:
    listed = await face.ok("list_items", actor, sort=["title"])
    return [each["title"] for each in listed["data"]]


async def batch(face: Face, actor: Account, *operations: Any, atomic: bool, of: str = "items") -> list[Row]:
    data = {"atomic": atomic, "operations": list(operations)}
    found: list[Row] = (await face.ok(f"batch_{of}", actor, data))["results"]
    return found


@BOTH
async def test_entries_are_done_in_their_order(face: Face, ada: Account, item: Row, *, atomic: bool) -> None:
    results = await batch(
        face, ada,
        {"create": {"title": "First", "status": "done"}},
        {"update": {"id": item["id"], "title": "Changed"}},
        {"update": {"id": item["id"], "priority": 4}},
        {"create": {"title": "Last"}},
        atomic=atomic,
    )  # fmt: skip
    assert [each["status"] for each in results] == [201, 200, 200, 201]
    assert [each["id"] for each in results[1:3]] == [item["id"]] * 2
    # Rows are shown as they are once all is done.
    assert [each["data"] for each in results] == [await face.ok("get_item", ada, id=each["id"]) for each in results]
    assert (results[1]["data"]["title"], results[1]["data"]["priority"], results[1]["data"]["version"]) == (
        "Changed",
        4,
        3,
    )
    assert (results[0]["data"]["status"], results[0]["data"]["creator_id"]) == ("done", ada.id)
    assert await titles(face, ada) == ["Changed", "First", "Last"]


@BOTH
async def test_what_is_left_out_of_a_change_stays(face: Face, ada: Account, *, atomic: bool) -> None:
    made = await make_item(face, ada, "Wheel", description="Brass", priority=3)
    (result,) = await batch(face, ada, {"update": {"id": made["id"], "description": None}}, atomic=atomic)
    unlike = {name for name in made if made[name] != result["data"][name]}
    assert unlike == {"description", "version", "updated_at"}


@BOTH
async def test_entries_can_expect_a_version(face: Face, ada: Account, item: Row, *, atomic: bool) -> None:
    first = await batch(face, ada, {"update": {"id": item["id"], "title": "Once"}}, atomic=atomic)
    known = {"id": item["id"], "expected_version": first[0]["etag"]}
    second = await batch(face, ada, {"update": {**known, "title": "Twice"}}, atomic=atomic)
    assert (second[0]["status"], second[0]["data"]["title"]) == (200, "Twice")
    assert second[0]["etag"] != first[0]["etag"]
    if atomic:
        answer = await face.call("batch_items", ada, {"operations": [{"delete": known}]})
        assert (answer.problem, answer.status) == ("precondition_failed", 412)
    else:
        stale = await batch(face, ada, {"delete": known}, atomic=False)
        assert (stale[0]["status"], stale[0]["problem"]["code"]) == (412, "precondition_failed")
    assert await titles(face, ada) == ["Twice"]


@BOTH
async def test_deleted_row_is_not_shown(face: Face, ada: Account, item: Row, *, atomic: bool) -> None:
    results = await batch(
        face, ada, {"update": {"id": item["id"], "title": "Gone"}}, {"delete": {"id": item["id"]}}, atomic=atomic
    )
    assert results == [{"status": 200, "id": item["id"]}, {"status": 204, "id": item["id"]}]
    assert await titles(face, ada) == []


async def test_first_problem_undoes_an_atomic_batch(face: Face, gateway: Gateway, ada: Account, item: Row) -> None:
    entries = [
        {"create": {"title": "Never"}},
        {"delete": {"id": item["id"]}},
        {"update": {"id": item["id"], "title": "Too late"}},
        {"create": {"title": "Not reached"}},
    ]
    async with unchanged(gateway):
        answer = await face.call("batch_items", ada, {"operations": entries})
    assert (answer.problem, answer.status, answer.errors) == ("not_found", 404, {})
    assert answer.members is not None
    assert answer.members["operation"] == 2


async def test_reference_to_nothing_in_an_atomic_batch_is_named(face: Face, gateway: Gateway, ada: Account) -> None:
    missing = {"create": {"title": "Never", "label_ids": [unknown_id("lbl")]}}
    async with unchanged(gateway):
        answer = await face.call("batch_items", ada, {"operations": [{"create": {"title": "Never"}}, missing]})
    assert (answer.problem, answer.errors) == ("validation_failed", {"operations[1].create.label_ids[0]": "not_found"})


async def test_every_fault_of_an_atomic_batch_is_named(face: Face, gateway: Gateway, ada: Account, item: Row) -> None:
    entries = [
        {"create": {"title": ""}},
        {"create": {"title": "Good"}},
        {"update": {"id": item["id"], "priority": 9}},
        {"delete": {"id": "nonsense"}},
        {},
        {"create": {"title": "Two"}, "delete": {"id": item["id"]}},
    ]
    async with unchanged(gateway):
        answer = await face.call("batch_items", ada, {"operations": entries})
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert answer.errors == {
        "operations[0].create.title": "length", "operations[2].update.priority": "range",
        "operations[3].delete.id": "format", "operations[4]": "choice", "operations[5]": "choice",
    }  # fmt: skip


async def test_one_by_one_the_others_stand(face: Face, ada: Account, item: Row) -> None:
    results = await batch(
        face, ada,
        {"create": {"title": "Stays"}},
        {"create": {"title": ""}},
        {"update": {"id": unknown_id("itm"), "title": "Never"}},
        {"create": {"title": "Never", "label_ids": [unknown_id("lbl")]}},
        {},
        {"update": {"id": item["id"], "title": "Changed"}},
        atomic=False,
    )  # fmt: skip
    problems = [each.get("problem") for each in results]
    errors = [each and [(e["field"], e["code"]) for e in each.get("errors", ())] for each in problems]
    assert [each and (each["code"], e) for each, e in zip(problems, errors, strict=True)] == [
        None, ("validation_failed", [("create.title", "length")]), ("not_found", []),
        ("validation_failed", [("create.label_ids[0]", "not_found")]), ("validation_failed", [("", "choice")]), None,
    ]  # fmt: skip
    assert [each["status"] for each in results] == [201, 422, 404, 422, 422, 200]
    assert await titles(face, ada) == ["Changed", "Stays"]


async def test_what_the_database_refuses_is_undone_alone(face: Face, ada: Account) -> None:
    await make_label(face, ada, "brass")
    results = await batch(
        face, ada, {"create": {"name": "steel"}}, {"create": {"name": "brass"}}, {"create": {"name": "tin"}},
        atomic=False, of="labels",
    )  # fmt: skip
    assert [(each["status"], "problem" in each) for each in results] == [(201, False), (409, True), (201, False)]
    assert results[1]["problem"]["errors"][0]["field"] == "create.name"
    listed = await face.ok("list_labels", ada, sort=["name"])
    assert [each["name"] for each in listed["data"]] == ["brass", "steel", "tin"]


async def test_what_the_database_refuses_undoes_an_atomic_batch(face: Face, gateway: Gateway, ada: Account) -> None:
    await make_label(face, ada, "brass")
    async with unchanged(gateway):
        answer = await face.call("batch_labels", ada, {"operations": [{"create": {"name": n}} for n in ("a", "brass")]})
    assert (answer.problem, answer.errors) == ("conflict", {"operations[1].create.name": "unique"})


async def test_rules_hold_for_each_entry(face: Face, gateway: Gateway, team: Team, eve: Account) -> None:
    mine, foreign = await make_item(face, team.owner, workspace_id=team.id), await make_item(face, eve)
    entries = [
        {"update": {"id": mine["id"], "title": "By a viewer"}},
        {"create": {"workspace_id": team.id, "title": "By a viewer"}},
        {"delete": {"id": foreign["id"]}},
    ]
    async with unchanged(gateway):
        results = await batch(face, team.viewer, *entries, atomic=False)
        answer = await face.call("batch_items", team.viewer, {"operations": entries})
    assert [each["problem"]["code"] for each in results] == ["forbidden", "forbidden", "not_found"]
    assert (answer.problem, answer.members and answer.members["operation"]) == ("forbidden", 0)


async def test_entries_are_recorded_each_by_itself(face: Face, gateway: Gateway, team: Team) -> None:
    mine = await make_item(face, team.owner, workspace_id=team.id)
    entries = [
        {"create": {"workspace_id": team.id, "title": "New"}},
        {"update": {"id": mine["id"], "title": "Changed"}},
        {"delete": {"id": mine["id"]}},
        {"create": {"title": ""}},
    ]
    async with recorded(gateway) as events:
        results = await batch(face, team.editor, *entries, atomic=False)
    made = results[0]["id"]
    assert sorted((each["operation"], each["resource_id"], each["changed"]) for each in events) == [
        ("create_item", made, ["workspace_id", "title"]), ("delete_item", mine["id"], []),
        ("update_item", mine["id"], ["title"]),
    ]  # fmt: skip
    async with recorded(gateway) as events:
        await batch(face, team.viewer, {"delete": {"id": made}}, {"update": {"id": made, "title": "N"}}, atomic=False)
    assert [(each["operation"], each["outcome"], each["problem"]) for each in events] == [
        ("delete_item", "refused", "forbidden"), ("update_item", "refused", "forbidden"),
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize(("number", "code"), [(0, "length"), (MAX_ENTRIES + 1, "length")])
async def test_batch_of_nothing_or_too_much_is_refused(
    face: Face, gateway: Gateway, ada: Account, number: int, code: str, *, atomic: bool
) -> None:
    async with unchanged(gateway):
        data = {"atomic": atomic, "operations": [{"create": {"title": "Never"}}] * number}
        answer = await face.call("batch_items", ada, data)
    assert (answer.problem, answer.errors) == ("validation_failed", {"operations": code})


async def test_as_much_as_there_may_be_is_done(face: Face, ada: Account) -> None:
    entries = [{"create": {"name": f"label {number}"}} for number in range(MAX_ENTRIES)]
    results = await batch(face, ada, *entries, atomic=True, of="labels")
    assert [each["data"]["name"] for each in results] == [each["create"]["name"] for each in entries]
    assert (await face.ok("list_labels", ada, limit=1, count=True))["page"]["total"] == MAX_ENTRIES


async def test_batches_that_meet_wait_for_one_another_or_are_refused(face: Face, ada: Account) -> None:
    rows = [await make_item(face, ada, str(number)) for number in range(8)]

    def changes(order: list[Row], title: str) -> dict[str, Any]:
        return {"operations": [{"update": {"id": each["id"], "title": title}} for each in order]}

    answers = await asyncio.gather(
        face.call("batch_items", ada, changes(rows, "forth")),
        face.call("batch_items", ada, changes(rows[::-1], "back")),
    )
    assert {each.problem for each in answers} <= {None, "conflict"}
    assert len(set(await titles(face, ada))) == 1  # one of them, and that as a whole


DEEP: Any = "x"
for _ in range(300):
    DEEP = [DEEP]


@BOTH
@pytest.mark.parametrize(
    ("members", "code"),
    [({"a": DEEP}, "format"), ({f"m{number}": 1 for number in range(300)}, "format")],
    ids=["deep", "crowded"],
)
async def test_entry_is_named_whatever_is_wrong_with_it(
    rest: RestFace, gateway: Gateway, ada: Account, members: Row, code: str, *, atomic: bool
) -> None:
    good, bad = {"create": {"title": "Wheel"}}, {"create": {"title": "x", **members}}
    body = json.dumps({"atomic": atomic, "operations": [good, bad]}).encode()
    if atomic:
        async with unchanged(gateway):
            answer = await rest.send("POST", "/items/batch", ada, content=body)
        found, place = answer.json(), "operations[1]"
    else:
        answer = await rest.send("POST", "/items/batch", ada, content=body)
        found, place = answer.json()["results"][1]["problem"], ""
    assert (found["status"], found["code"]) == (422, "validation_failed")
    assert [(each["field"], each["code"]) for each in found["errors"]] == [(place, code)]


async def test_entry_with_too_much_to_be_listed_leaves_the_faults_of_those_before_it(
    rest: RestFace, ada: Account
) -> None:
    entries = [{"create": {"title": ""}}, {"create": {f"m{number}": 1 for number in range(300)}}]
    answer = await rest.send("POST", "/items/batch", ada, content=json.dumps({"operations": entries}).encode())
    fields = [each["field"] for each in answer.json()["errors"]]
    assert (answer.status_code, fields) == (422, ["operations[0].create.title"])


async def test_rest_shows_what_is_asked_for(rest: RestFace, ada: Account) -> None:
    body = b'{"operations": [{"create": {"title": "Wheel"}}]}'
    answer = await rest.send("POST", "/items/batch?fields=title,creator.username&include=creator", ada, content=body)
    (result,) = answer.json()["results"]
    assert result["data"] == {"title": "Wheel", "creator": {"username": ada.username}}


async def test_rest_shows_no_rows_to_who_prefers_none(rest: RestFace, ada: Account) -> None:
    body = b'{"atomic": false, "operations": [{"create": {"title": "Wheel"}}, {"create": {"title": ""}}]}'
    answer = await rest.send("POST", "/items/batch", ada, content=body, headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "return=minimal")
    done, refused = answer.json()["results"]
    assert (list(done), refused["problem"]["code"]) == (["status", "id", "etag"], "validation_failed")


async def test_graphql_shows_what_is_asked_for(graphql: GraphQLFace, ada: Account) -> None:
    document = """mutation($input: BatchItemsInput!) { batchItems(input: $input) { __typename results {
        kind: __typename status first: item { name: title creator { username } } second: item { status }
        problem { code errors { field } } } } }"""
    entries = [{"create": {"title": "Wheel", "status": "DONE"}}, {"create": {"title": ""}}]
    data = await graphql.data(document, {"input": {"atomic": False, "operations": entries}}, ada)
    row = {"name": "Wheel", "creator": {"username": ada.username}}
    assert data["batchItems"] == {"__typename": "BatchItemsPayload", "results": [
        {"kind": "ItemBatchResult", "status": 201, "first": row, "second": {"status": "DONE"}, "problem": None},
        {"kind": "ItemBatchResult", "status": 422, "first": None, "second": None,
         "problem": {"code": "validation_failed", "errors": [{"field": "create.title"}]}},
    ]}  # fmt: skip


async def test_rows_that_a_batch_has_written_need_no_scope_but_its_own(
    graphql: GraphQLFace, rest: RestFace, ada: Account
) -> None:
    key = await make_key(rest, ada, scopes=["items:write"])
    shown = "results { status item { title } }"
    # Two selections of the rows are not planned: the resolvers show what plans do.
    for selected in (shown, f"{shown} again: {shown}"):
        document = f"mutation ($i: BatchItemsInput!) {{ batchItems(input: $i) {{ {selected} }} }}"
        answer = await graphql.run(document, {"i": {"operations": [{"create": {"title": "Written"}}]}}, key)
        assert answer["data"]["batchItems"]["results"] == [{"status": 201, "item": {"title": "Written"}}]
        assert "errors" not in answer
