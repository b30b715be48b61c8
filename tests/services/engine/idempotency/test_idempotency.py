"""A write with an idempotency key is made once, and answered as the first time, on both faces."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.engine.gateway import Gateway
from services.engine.idempotency.once import MAX_ANSWER
from tests.support.accounts import Account, sign_in, sign_up
from tests.support.audit import recorded
from tests.support.faces import Face, GraphQLFace, RestFace
from tests.support.factories import make_item, make_key, make_label, make_team, unique
from tests.support.keyed import age, code, is_replay, kept, send, titles, told
from tests.support.state import unchanged
from tests.support.statements import statements

Row = dict[str, Any]


async def test_retry_is_answered_byte_for_byte_and_does_nothing(face: Face, gateway: Gateway, ada: Account) -> None:
    async with recorded(gateway) as events:
        first = await send(face, "create_item", ada, {"title": "Wheel"}, key="k-1")
        async with unchanged(gateway):
            again = await send(face, "create_item", ada, {"title": "Wheel"}, key="k-1")
    assert told(again) == told(first)
    assert (code(face, first), is_replay(first), is_replay(again)) == (None, False, True)
    assert await titles(face, ada) == ["Wheel"]
    assert [each["operation"] for each in events] == ["create_item"]


async def test_retry_is_the_same_request_whatever_the_order_of_its_members(face: Face, ada: Account) -> None:
    await send(face, "create_item", ada, {"title": "Wheel", "priority": 2}, key="k")
    assert is_replay(await send(face, "create_item", ada, {"priority": 2, "title": "Wheel"}, key="k"))


async def test_key_is_the_same_with_quotes_and_without(face: Face, ada: Account) -> None:
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key='"k 1\\""')
    assert told(await send(face, "create_item", ada, {"title": "Wheel"}, key='"k 1\\""')) == told(first)
    bare = await send(face, "create_item", ada, {"title": "Axle"}, key="k/2")
    assert told(await send(face, "create_item", ada, {"title": "Axle"}, key='"k/2"')) == told(bare)
    assert await titles(face, ada) == ["Axle", "Wheel"]


MALFORMED = ["", " ", '""', '"', '"a', 'a"b', "a b", "a,b", "a;b", '"a";b=1', "x" * 256, "é", '"\\a"']


async def test_malformed_key_is_refused_naming_the_header(face: Face, gateway: Gateway, ada: Account) -> None:
    async with unchanged(gateway):
        for key in MALFORMED:
            answer = await send(face, "create_item", ada, {"title": "Wheel"}, key=key)
            assert (key, answer.status_code, code(face, answer)) == (key, 400, "bad_request")
            assert "Idempotency-Key" in answer.text


async def test_two_keys_are_refused(face: Face, ada: Account) -> None:
    path, body = ("/api/v1/auth/logout", {}) if face.name == "rest" else (
        "/graphql", {"query": "mutation { logout { ok } }"}
    )  # fmt: skip
    headers = [*ada.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await face.client.post(path, json=body, headers=headers)
    assert (answer.status_code, code(face, answer)) == (400, "bad_request")
    assert (await face.call("me", ada)).problem is None


async def test_another_request_with_the_key_is_refused(face: Face, gateway: Gateway, ada: Account) -> None:
    wheel, axle = await make_item(face, ada), await make_item(face, ada, "Axle")
    assert code(face, await send(face, "update_item", ada, {"priority": 1}, id=wheel["id"], key="k")) is None
    others: list[tuple[str, Row | None, str | None]] = [
        ("update_item", {"priority": 2}, wheel["id"]), ("update_item", {"priority": 1}, axle["id"]),
        ("update_item", {}, wheel["id"]), ("archive_item", None, wheel["id"]), ("delete_item", None, wheel["id"]),
        ("create_item", {"title": "Wheel"}, None), ("logout", None, None),
    ]  # fmt: skip
    async with unchanged(gateway):
        for name, data, id in others:
            answer = await send(face, name, ada, data, id=id, key="k")
            assert (name, code(face, answer)) == (name, "idempotency_key_reused")
    assert (await face.call("me", ada)).problem is None


async def test_key_is_of_one_face(rest: RestFace, graphql: GraphQLFace, ada: Account) -> None:
    for number, (one, other) in enumerate([(rest, graphql), (graphql, rest)]):
        data, key = {"title": f"Wheel {number}"}, f"k-{number}"
        first = await send(one, "create_item", ada, data, key=key)
        assert code(other, await send(other, "create_item", ada, data, key=key)) == "idempotency_key_reused"
        assert told(await send(one, "create_item", ada, data, key=key)) == told(first)
    assert await titles(rest, ada) == ["Wheel 0", "Wheel 1"]


async def test_key_is_of_one_caller(face: Face, ada: Account, eve: Account) -> None:
    holders = [ada, eve, await make_key(face, ada), await make_key(face, ada)]
    answers = [await send(face, "create_item", each, {"title": "Wheel"}, key="k") for each in holders]
    assert [is_replay(each) for each in answers] == [False] * 4
    assert len({each.content for each in answers}) == 4
    for holder, first in zip(holders, answers, strict=True):
        assert told(await send(face, "create_item", holder, {"title": "Wheel"}, key="k")) == told(first)


async def test_key_outlives_the_session(face: Face, client: httpx.AsyncClient, ada: Account) -> None:
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    await face.ok("logout", ada)
    later = Account(ada.id, ada.username, ada.password, await sign_in(client, ada.username, ada.password))
    assert told(await send(face, "create_item", later, {"title": "Wheel"}, key="k")) == told(first)


async def test_every_kind_of_write_can_be_retried(face: Face, gateway: Gateway, ada: Account) -> None:
    item, label = await make_item(face, ada), await make_label(face, ada)
    made = await make_key(face, ada)
    writes: list[tuple[str, Row | None, str | None]] = [
        ("create_comment", {"item_id": item["id"], "body": "Oil it."}, None),
        ("update_item", {"title": "Axle"}, item["id"]), ("attach_label", {"label_id": label["id"]}, item["id"]),
        ("archive_item", None, item["id"]), ("rotate_api_key", {"grace_seconds": 0}, made.key_id),
        ("introspect", {"token": ada.tokens["access_token"]}, None), ("delete_item", None, item["id"]),
        ("change_password", {"current_password": ada.password, "new_password": "battery staple"}, None),
    ]  # fmt: skip
    for name, data, id in writes:
        first = await send(face, name, ada, data, id=id, key=name)
        assert (name, code(face, first)) == (name, None)
        async with unchanged(gateway):
            again = await send(face, name, ada, data, id=id, key=name)
        assert (name, told(again), is_replay(again)) == (name, told(first), True)
    assert code(face, await send(face, "logout", ada, key="out")) is None
    # Who has signed out is nobody any more, so that this is what a retry says.
    assert code(face, await send(face, "logout", ada, key="out")) == "invalid_token"


async def test_first_answer_is_given_though_its_row_is_gone(face: Face, ada: Account) -> None:
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    (row,) = (await face.ok("list_items", ada))["data"]
    await face.ok("update_item", ada, {"title": "Axle"}, id=row["id"])
    await face.ok("delete_item", ada, id=row["id"])
    assert told(await send(face, "create_item", ada, {"title": "Wheel"}, key="k")) == told(first)
    assert await titles(face, ada) == []


async def test_first_answer_is_given_to_who_may_not_read_the_row_any_more(
    face: Face, client: httpx.AsyncClient
) -> None:
    team = await make_team(client, face)
    data = {"title": "Wheel", "workspace_id": team.id}
    first = await send(face, "create_item", team.editor, data, key="k")
    await face.ok("delete_membership", team.owner, id=team.memberships["editor"]["id"])
    assert told(await send(face, "create_item", team.editor, data, key="k")) == told(first)
    assert code(face, await send(face, "create_item", team.editor, data, key="new")) == "validation_failed"


async def test_failure_is_not_kept(face: Face, gateway: Gateway, ada: Account) -> None:
    slug, before = unique("slug"), await kept(gateway)
    other = await face.ok("create_workspace", ada, {"name": "Engine", "slug": slug})
    data = {"name": "Mill", "slug": slug}
    assert code(face, await send(face, "create_workspace", ada, data, key="k")) == "conflict"
    assert code(face, await send(face, "create_workspace", ada, {"name": ""}, key="k")) == "validation_failed"
    assert await kept(gateway) == before
    await face.ok("delete_workspace", ada, id=other["id"])
    assert code(face, await send(face, "create_workspace", ada, data, key="k")) is None
    assert is_replay(await send(face, "create_workspace", ada, data, key="k"))


async def test_fault_of_ours_is_not_kept(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = gateway.catalogue.operations["create_item"]

    async def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setitem(vars(operation), "function", broken)
        assert code(face, await send(face, "create_item", ada, {"title": "Wheel"}, key="k")) == "internal_error"
    first = await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    assert (code(face, first), is_replay(first)) == (None, False)
    assert await titles(face, ada) == ["Wheel"]


async def test_expired_key_is_as_good_as_new(face: Face, gateway: Gateway, ada: Account) -> None:
    await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    await age(gateway, 23.9)
    assert is_replay(await send(face, "create_item", ada, {"title": "Wheel"}, key="k"))
    await age(gateway, 0.2)
    before = await kept(gateway)
    second = await send(face, "create_item", ada, {"title": "Axle"}, key="k")
    assert (code(face, second), is_replay(second)) == (None, False)
    assert told(await send(face, "create_item", ada, {"title": "Axle"}, key="k")) == told(second)
    assert await kept(gateway) <= before
    assert await titles(face, ada) == ["Axle", "Wheel"]


async def test_plain_write_costs_no_statement_more_and_a_key_costs_three(
    face: Face, gateway: Gateway, ada: Account
) -> None:
    for title in ("a", "b"):  # whatever is looked up once
        await send(face, "create_item", ada, {"title": title}, key=None)
    with statements(gateway) as plain:
        await send(face, "create_item", ada, {"title": "c"}, key=None)
    with statements(gateway) as keyed:
        await send(face, "create_item", ada, {"title": "d"}, key="k")
    with statements(gateway) as again:
        await send(face, "create_item", ada, {"title": "d"}, key="k")
    about = [each for each in keyed if "idempotency_keys" in each or "advisory" in each]
    assert not [each for each in plain if "idempotency_keys" in each or "advisory" in each]
    sweeps = [each for each in about if each.startswith("WITH oldest")]  # now and then one
    assert (len(keyed) - len(sweeps), len(again)) == (len(plain) + 3, 2)


async def test_what_has_expired_is_swept_on_the_way_and_nothing_else(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.engine.idempotency.once.SWEEP_EVERY", 1)
    await send(face, "create_item", ada, {"title": "Wheel"}, key="old")
    await age(gateway, 25)
    await send(face, "create_item", ada, {"title": "Axle"}, key="new")
    await send(face, "create_item", ada, {"title": "Cog"}, key="newer")
    assert await kept(gateway) == 2
    assert not is_replay(await send(face, "create_item", ada, {"title": "Wheel"}, key="old"))
    assert is_replay(await send(face, "create_item", ada, {"title": "Axle"}, key="new"))


async def test_answer_too_large_to_be_kept_is_refused(
    face: Face, gateway: Gateway, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_ANSWER == 2**20
    monkeypatch.setattr("services.engine.idempotency.once.MAX_ANSWER", 100)
    async with unchanged(gateway):
        assert code(face, await send(face, "create_item", ada, {"title": "Wheel"}, key="k")) == "too_complex"
    assert code(face, await send(face, "create_item", ada, {"title": "Wheel"}, key=None)) is None


async def test_foreign_account_learns_nothing_of_a_key(face: Face, client: httpx.AsyncClient, ada: Account) -> None:
    await send(face, "create_item", ada, {"title": "Wheel"}, key="k")
    stranger = await sign_up(client)
    answer = await send(face, "create_item", stranger, {"title": "Axle"}, key="k")
    assert (code(face, answer), is_replay(answer)) == (None, False)
