"""Writes that meet: what has gone meanwhile is not found, what does not concern each other does not wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, text

from services.engine.gateway import Gateway
from services.sample.items.models import Item
from services.sample.labels.models import Label
from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace
from tests.support.factories import Row, key_of, make_comment, make_item, make_label, unique
from tests.support.races import WAIT_SECONDS, held_up, loaded
from tests.support.state import unchanged


@pytest.fixture
async def item(face: Face, ada: Account) -> Row:
    """An item."""
    return await make_item(face, ada)


async def test_comment_on_an_item_that_goes_meanwhile_names_it(
    face: Face, gateway: Gateway, ada: Account, item: Row
) -> None:
    """The reference was checked when the item was still there."""
    data = {"item_id": item["id"], "body": "Too late."}
    async with gateway.database.unit_of_work() as session:
        await session.execute(delete(Item).where(Item.id == key_of(item["id"])))
        task = await held_up(gateway, face.call("create_comment", ada, data))
        await session.commit()
    answer = await task
    assert (answer.problem, answer.status, answer.errors) == ("validation_failed", 422, {"item_id": "not_found"})
    assert (await face.ok("list_comments", ada))["data"] == []


async def test_item_below_one_that_goes_meanwhile_names_it(
    face: Face, gateway: Gateway, ada: Account, item: Row
) -> None:
    data = {"title": "Too late", "parent_id": item["id"]}
    async with gateway.database.unit_of_work() as session:
        await session.execute(delete(Item).where(Item.id == key_of(item["id"])))
        task = await held_up(gateway, face.call("create_item", ada, data))
        await session.commit()
    answer = await task
    assert (answer.problem, answer.errors) == ("validation_failed", {"parent_id": "not_found"})
    assert (await face.ok("list_items", ada))["data"] == []


@pytest.mark.parametrize("operation", ["attach_label", "create_item"])
async def test_label_that_goes_meanwhile_is_named(
    face: Face, gateway: Gateway, ada: Account, item: Row, operation: str
) -> None:
    label = await make_label(face, ada)
    if operation == "create_item":
        data, field, key = {"title": "Too late", "label_ids": [label["id"]]}, "label_ids[0]", None
    else:
        data, field, key = {"label_id": label["id"]}, "label_id", item["id"]
    async with gateway.database.unit_of_work() as session:
        await session.execute(delete(Label).where(Label.id == key_of(label["id"])))
        task = await held_up(gateway, face.call(operation, ada, data, id=key))
        await session.commit()
    answer = await task
    assert (answer.problem, answer.status) == ("validation_failed", 422)
    assert {name.replace(".0", "[0]"): code for name, code in (answer.errors or {}).items()} == {field: "not_found"}
    assert await face.ok("list_items", ada) == {"data": [item], "page": {"has_next": False, "next": None}}


async def test_change_of_an_item_that_goes_meanwhile_is_not_found(
    face: Face, gateway: Gateway, ada: Account, item: Row
) -> None:
    async with gateway.database.unit_of_work() as session:
        await session.execute(delete(Item).where(Item.id == key_of(item["id"])))
        task = await held_up(gateway, face.call("update_item", ada, {"title": "Too late"}, id=item["id"]))
        await session.commit()
    assert (await task).problem == "not_found"


async def meet(face: Face, gateway: Gateway, actor: Account, moves: list[tuple[Row, Row]]) -> list[str | None]:
    """Put items below others at once: each has loaded its item before any goes on to the tree."""
    tasks: list[asyncio.Future[Any]] = []
    async with gateway.database.unit_of_work() as session:
        lock = text("select 1 from workspaces where id = :id for no key update")
        await session.execute(lock, {"id": key_of(moves[0][0]["workspace_id"])})
        for below, above in moves:
            move = face.call("update_item", actor, {"parent_id": above["id"]}, id=below["id"])
            tasks.append(await held_up(gateway, move, number=len(tasks) + 1))
        await session.rollback()
    return [(await task).problem for task in tasks]


async def parents(face: Face, actor: Account, *rows: Row) -> list[str | None]:
    return [(await face.ok("get_item", actor, id=row["id"]))["parent_id"] for row in rows]


async def test_innocent_moves_at_once_all_succeed(face: Face, gateway: Gateway, ada: Account) -> None:
    a, b, c = [await make_item(face, ada, title) for title in "abc"]
    assert await meet(face, gateway, ada, [(a, b), (b, c)]) == [None, None]
    assert await parents(face, ada, a, b, c) == [b["id"], c["id"], None]


async def test_moves_that_would_close_a_circle_between_them(face: Face, gateway: Gateway, ada: Account) -> None:
    a, b, c = [await make_item(face, ada, title) for title in "abc"]
    found = await meet(face, gateway, ada, [(a, b), (b, c), (c, a)])
    assert sorted(map(str, found)) == ["None", "None", "validation_failed"]
    assert (await parents(face, ada, a, b, c)).count(None) == 1


GOES_ON: dict[str, Any] = {
    "a comment": ("create_comment", lambda item, label: {"item_id": item["id"], "body": "Meanwhile."}),
    "an item below": ("create_item", lambda item, label: {"title": "Below", "parent_id": item["id"]}),
    "an item with the label": ("create_item", lambda item, label: {"title": "Also", "label_ids": [label["id"]]}),
}


@pytest.mark.parametrize(("operation", "data"), GOES_ON.values(), ids=GOES_ON)
async def test_reference_to_rows_that_are_being_changed_does_not_wait(
    face: Face, gateway: Gateway, ada: Account, item: Row, operation: str, data: Any
) -> None:
    label = await make_label(face, ada)
    async with (
        loaded(gateway, ada, "item", key_of(item["id"]), "update"),
        loaded(gateway, ada, "label", key_of(label["id"]), "update"),
        asyncio.timeout(WAIT_SECONDS),
    ):
        await face.ok(operation, ada, data(item, label))


async def test_label_that_is_being_changed_is_attached_without_waiting(
    face: Face, gateway: Gateway, ada: Account, item: Row
) -> None:
    label = await make_label(face, ada)
    async with loaded(gateway, ada, "label", key_of(label["id"]), "update"), asyncio.timeout(WAIT_SECONDS):
        await face.ok("attach_label", ada, {"label_id": label["id"]}, id=item["id"])


async def test_deletion_waits_for_the_change(face: Face, gateway: Gateway, ada: Account, item: Row) -> None:
    async with loaded(gateway, ada, "item", key_of(item["id"]), "update") as session:
        task = await held_up(gateway, face.call("delete_item", ada, id=item["id"]))
        await session.commit()
    assert (await task).problem is None
    assert (await face.call("get_item", ada, id=item["id"])).problem == "not_found"


async def test_comment_waits_for_the_deletion_and_for_nothing_else(
    face: Face, gateway: Gateway, ada: Account, item: Row
) -> None:
    async with loaded(gateway, ada, "item", key_of(item["id"]), "delete") as session:
        task = await held_up(gateway, make_comment(face, ada, item))
        await session.rollback()
    assert (await task)["item_id"] == item["id"]


AFTER = 'createItem(input: {title: "Never"}) { item { id } }'
ENDINGS = {
    "logout": "mutation { logout { ok } %s }",
    "logoutAll": "mutation { logoutAll { ok } %s }",
    "deleteSession": 'mutation { deleteSession(input: {id: "@session"}) { id } %s }',
    "deactivateUser": 'mutation { deactivateUser(input: {id: "@user"}) { user { isActive } } %s }',
    "in a fragment": "mutation { ...F } fragment F on Mutation { logout { ok } %s }",
}


@pytest.mark.parametrize("document", ENDINGS.values(), ids=ENDINGS)
async def test_mutation_after_the_end_of_the_session_is_refused(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, eve: Account, document: str
) -> None:
    (own,) = (await graphql.ok("list_sessions", ada))["data"]
    ids = {"@session": own["id"], "@user": ada.id}
    for name, value in ids.items():
        document = document.replace(name, value)
    query = 'query { items(search: "never") { totalCount } }'
    body = await graphql.run(document % AFTER, None, ada)
    first, second = body["data"].values()
    assert first is not None
    assert second is None
    assert [(each["path"], each["extensions"]["code"]) for each in body["errors"]] == [
        (["createItem"], "invalid_token")
    ]
    assert (await graphql.data(query, None, eve))["items"]["totalCount"] == 0
    async with gateway.database.reading() as session:
        made = text("select count(*) from items where creator_id = :key")
        assert (await session.execute(made, {"key": ada.key})).scalar_one() == 0


async def test_mutation_before_the_end_of_the_session_is_done(graphql: GraphQLFace, ada: Account) -> None:
    query = 'mutation { createItem(input: {title: "Last"}) { item { title } } logout { ok } }'
    assert await graphql.data(query, None, ada) == {"createItem": {"item": {"title": "Last"}}, "logout": {"ok": True}}


async def test_every_payload_shows_what_is_true_after_its_mutation(graphql: GraphQLFace, ada: Account) -> None:
    item = await make_item(graphql, ada)
    labels = [await make_label(graphql, ada, unique(name)) for name in ("a", "b")]
    part = 'm%d: %sLabel(input: {id: "%s", labelId: "%s"}) { item { version labels { totalCount nodes { id } } } }'
    done = [("attach", 0), ("attach", 1), ("detach", 0), ("attach", 0)]
    parts = [part % (number, verb, item["id"], labels[which]["id"]) for number, (verb, which) in enumerate(done)]
    found = await graphql.data("mutation { " + " ".join(parts) + " }", None, ada)
    shown = [found[f"m{number}"]["item"] for number in range(4)]
    first, second = labels[0]["id"], labels[1]["id"]
    assert [{each["id"] for each in of["labels"]["nodes"]} for of in shown] == [
        {first}, {first, second}, {second}, {first, second},
    ]  # fmt: skip
    assert [of["labels"]["totalCount"] for of in shown] == [1, 2, 1, 2]
    assert [of["version"] for of in shown] == [2, 3, 4, 5]


async def test_refused_mutation_does_not_spoil_the_next(
    graphql: GraphQLFace, gateway: Gateway, ada: Account, eve: Account
) -> None:
    foreign = await make_item(graphql, eve)
    query = (
        f'mutation {{ archiveItem(input: {{id: "{foreign["id"]}"}}) {{ item {{ id }} }} '
        'createLabel(input: {name: "brass"}) { label { name } } }'
    )
    body = await graphql.run(query, None, ada)
    assert body["data"] == {"archiveItem": None, "createLabel": {"label": {"name": "brass"}}}
    async with unchanged(gateway):
        again = await graphql.run(query, None, ada)
    assert [each["extensions"]["code"] for each in again["errors"]] == ["not_found", "conflict"]
