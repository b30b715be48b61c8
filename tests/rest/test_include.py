"""`include` and `fields`: what is represented."""

from __future__ import annotations

import pytest

from tests.support.accounts import Account
from tests.support.faces import RestFace
from tests.support.factories import make_comment, make_item, make_label

ALL = {
    "id", "workspace_id", "title", "description", "status", "priority", "due_at", "creator_id", "assignee_id",
    "parent_id", "version", "created_at", "updated_at",
}  # fmt: skip


async def test_nothing_is_included_by_default(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    assert set(await rest.get(f"/items/{item['id']}", ada)) == ALL


async def test_to_one_relation_is_an_object_or_null(rest: RestFace, ada: Account) -> None:
    parent = await make_item(rest, ada, "parent")
    child = await make_item(rest, ada, "child", parent_id=parent["id"])
    found = await rest.get(f"/items/{child['id']}", ada, include="parent,assignee,creator")
    assert found == {**child, "parent": parent, "assignee": None, "creator": await rest.get("/users/me", ada)}


async def test_to_many_relation_is_a_page(rest: RestFace, ada: Account) -> None:
    labels = [await make_label(rest, ada, name) for name in ("brass", "steel")]
    item = await make_item(rest, ada, label_ids=[each["id"] for each in labels])
    found = await rest.get(f"/items/{item['id']}", ada, include="labels,comments")
    assert found["labels"] == {"data": labels[::-1], "page": {"has_next": False, "next": None}}
    assert found["comments"] == {"data": [], "page": {"has_next": False, "next": None}}


async def test_included_page_goes_on_at_the_address_of_the_relation(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    made = [await make_comment(rest, ada, item, f"Comment {number}") for number in range(22)]
    page = (await rest.get(f"/items/{item['id']}", ada, include="comments"))["comments"]
    assert (len(page["data"]), page["page"]["has_next"]) == (20, True)
    more = await rest.get(f"/items/{item['id']}/comments", ada, after=page["page"]["next"])
    assert [row["id"] for row in page["data"] + more["data"]] == [each["id"] for each in made[::-1]]


async def test_relations_of_relations_three_deep(rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    comment = await make_comment(rest, ada, item)
    found = await rest.get(f"/items/{item['id']}", ada, include="comments.author.memberships")
    (inner,) = found["comments"]["data"]
    assert inner["id"] == comment["id"]
    assert inner["author"]["id"] == ada.id
    assert [row["role"] for row in inner["author"]["memberships"]["data"]] == ["owner"]


async def test_unreadable_to_one_relation_is_null(rest: RestFace, ada: Account, eve: Account) -> None:
    workspace = await rest.ok("create_workspace", ada, {"name": "Engine", "slug": f"gone-{ada.id[-12:]}"})
    data = {"workspace_id": workspace["id"], "username": eve.username, "role": "editor"}
    await rest.ok("create_membership", ada, data)
    item = await make_item(rest, eve, workspace_id=workspace["id"])
    assert (await rest.get(f"/items/{item['id']}", ada, include="creator"))["creator"]["id"] == eve.id
    await rest.ok("deactivate_user", eve, id=eve.id)
    found = await rest.get(f"/items/{item['id']}", ada, include="creator")
    assert (found["creator_id"], found["creator"]) == (eve.id, None)


async def test_related_rows_are_only_the_readable_ones(rest: RestFace, ada: Account, eve: Account) -> None:
    await make_item(rest, ada)
    found = await rest.get(f"/users/{ada.id}", eve, include="created_items,memberships")
    assert (found["created_items"]["data"], found["memberships"]["data"]) == ([], [])


async def test_fields_choose_what_is_shown(rest: RestFace, ada: Account) -> None:
    label = await make_label(rest, ada)
    item = await make_item(rest, ada, "Wheel", label_ids=[label["id"]])
    found = await rest.get(f"/items/{item['id']}", ada, fields="title,id")
    assert found == {"id": item["id"], "title": "Wheel"}
    found = await rest.get("/items", ada, fields="title,labels.name", include="labels")
    labels = {"data": [{"name": "brass"}], "page": {"has_next": False, "next": None}}
    assert found["data"] == [{"title": "Wheel", "labels": labels}]
    found = await rest.get(f"/items/{item['id']}", ada, fields="labels.name", include="labels")
    assert found == {**item, "labels": labels}


async def test_what_is_created_can_be_shown_with_its_relations(rest: RestFace, ada: Account) -> None:
    label = await make_label(rest, ada)
    body = f'{{"title": "Wheel", "label_ids": ["{label["id"]}"]}}'.encode()
    answer = await rest.send("POST", "/items?include=labels&fields=title,labels.name", ada, content=body)
    assert answer.status_code == 201
    assert answer.json() == {
        "title": "Wheel", "labels": {"data": [{"name": "brass"}], "page": {"has_next": False, "next": None}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("include=nope", {"include[0]": "unknown"}),
        ("include=labels,title", {"include[1]": "unknown"}),
        ("include=labels.nope", {"include[0]": "unknown"}),
        ("include=labels,,creator", {"include[1]": "unknown"}),
        ("include=.", {"include[0]": "unknown"}),
        ("include=parent.parent.parent.parent", {"include[0]": "length"}),
        ("include=" + ",".join(["labels"] * 21), {"include": "length"}),
        ("include=" + "x" * 20_000, {"include[0]": "unknown"}),
        ("fields=nope", {"fields[0]": "unknown"}),
        ("fields=title,password_hash", {"fields[1]": "unknown"}),
        ("fields=title,labels", {"fields[1]": "unknown"}),
        ("fields=labels.name", {"fields[0]": "unknown"}),
        ("fields=labels.nope&include=labels", {"fields[0]": "unknown"}),
        ("fields=title,", {"fields[1]": "unknown"}),
        ("fields=search_vector", {"fields[0]": "unknown"}),
        ("fields=" + "x" * 20_000, {"fields[0]": "unknown"}),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_nonsense_is_refused_by_name(rest: RestFace, ada: Account, query: str, errors: dict[str, str]) -> None:
    answer = rest.read(await rest.send("GET", f"/items?{query}", ada))
    assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, errors)
    assert answer.size < 5_000
