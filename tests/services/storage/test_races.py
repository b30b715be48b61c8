"""Rules hold when two callers come at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item, make_label, unique


async def test_one_of_two_registrations_of_a_name_wins(face: Face, ada: Account) -> None:
    name = unique("racer")
    people = [
        {"email": f"{name}.{number}@example.com", "username": cased, "password": "correct horse"}
        for number, cased in enumerate((name, name.upper()))
    ]
    answers = await asyncio.gather(*(face.call("create_user", None, data) for data in people))
    lost = [answer for answer in answers if answer.problem is not None]
    assert [(answer.problem, answer.status, answer.errors) for answer in lost] == [
        ("conflict", 409, {"username": "unique"}),
    ]
    found = await face.ok("list_users", ada, filter={"username": {"in": [name, name.upper()]}}, count=True)
    assert found["page"]["total"] == 1


async def test_registration_of_a_name_through_both_faces_at_once(rest: RestFace, graphql: GraphQLFace) -> None:
    name = unique("racer")
    person = {"username": name, "password": "correct horse"}
    answers = await asyncio.gather(
        rest.call("create_user", None, {**person, "email": f"{name}@rest.example.com"}),
        graphql.call("create_user", None, {**person, "email": f"{name}@graphql.example.com"}),
    )
    assert sorted(answer.problem or "" for answer in answers) == ["", "conflict"]


async def test_one_of_two_labels_of_a_name_wins(face: Face, ada: Account) -> None:
    answers = await asyncio.gather(*(face.call("create_label", ada, {"name": name}) for name in ("brass", "BRASS")))
    assert sorted(answer.problem or "" for answer in answers) == ["", "conflict"]
    assert [answer.errors for answer in answers if answer.problem] == [{"name": "unique"}]
    assert (await face.ok("list_labels", ada, count=True))["page"]["total"] == 1


@pytest.mark.parametrize("operation", ["attach_label", "archive_item"])
async def test_idempotent_actions_at_once_all_succeed(face: Face, ada: Account, operation: str) -> None:
    item, label = await make_item(face, ada), await make_label(face, ada)
    data = {"label_id": label["id"]} if operation == "attach_label" else {}
    answers = await asyncio.gather(*(face.call(operation, ada, data, id=item["id"]) for _ in range(3)))
    assert [answer.problem for answer in answers] == [None, None, None]


async def test_deleting_at_once_deletes_once(face: Face, ada: Account) -> None:
    item = await make_item(face, ada)
    answers = await asyncio.gather(*(face.call("delete_item", ada, id=item["id"]) for _ in range(2)))
    assert sorted(answer.problem or "" for answer in answers) == ["", "not_found"]
