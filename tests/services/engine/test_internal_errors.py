"""Faults of the gateway: a request id, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NoReturn
from uuid import UUID

import pytest

from services.reader.pool import ReadPool
from services.reader.reader import Reader
from services.reader.records import Records
from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace
from tests.support.factories import make_comment, make_item, make_label

SECRET = "postgresql://ada:s3cret@db.internal"


class _FaultError(RuntimeError):
    pass


async def _fail(*_: Any, **__: Any) -> NoReturn:
    raise _FaultError(SECRET)


def _break_reading(patch: pytest.MonkeyPatch) -> None:
    """On either path, in a transaction or not."""
    for name in ("page", "find", "get", "many"):
        patch.setattr(Records, name, _fail)
    patch.setattr(ReadPool, "fetch_row", _fail)
    patch.setattr(Reader, "read", _fail)


def _check(members: dict[str, Any] | Any) -> None:
    assert set(members) == {"type", "title", "status", "code", "detail", "request_id"}
    assert (members["code"], members["status"]) == ("internal_error", 500)
    assert members["title"] == members["detail"] == "Something went wrong here."
    assert len(members["request_id"]) >= 8


@pytest.mark.parametrize("operation", ["list_items", "me", "create_item"])
async def test_internal_error_has_a_request_id_and_nothing_else(
    face: Face, ada: Account, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    with monkeypatch.context() as patch:
        _break_reading(patch)
        answer = await face.call(operation, ada, {"title": "Wheel"} if operation == "create_item" else None)
    _check(answer.members)
    assert (await face.ok("list_items", ada))["data"] == []


async def test_request_id_is_that_of_the_header(face: Face, ada: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    _break_reading(monkeypatch)
    headers = {**ada.headers, "X-Request-ID": "trace-me-42"}
    if face.name == "rest":
        answer = await face.client.get("/api/v1/users/me", headers=headers)
        members = answer.json()
    else:
        answer = await face.client.post("/graphql", json={"query": "{ me { id } }"}, headers=headers)
        (error,) = answer.json()["errors"]
        members = error["extensions"]
        assert set(error) == {"message", "locations", "path", "extensions"}
    _check(members)
    assert (members["request_id"], answer.headers["X-Request-ID"]) == ("trace-me-42", "trace-me-42")
    assert SECRET not in answer.text
    assert "Fault" not in answer.text


async def test_fault_beside_a_shared_load_leaves_the_rest_of_the_answer(
    graphql: GraphQLFace, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One parent's count fails while all parents wait for one workspace: the others must get it all the same."""
    for number in range(3):
        item = await make_item(graphql, ada, f"Wheel {number}")
        await make_comment(graphql, ada, item)
    loading, many = asyncio.Event(), Records.many

    async def counts_without_the_first(
        self: Records, relation: Any, keys: Sequence[UUID], arguments: Any
    ) -> dict[UUID, int]:
        await loading.wait()
        return dict.fromkeys(keys[1:], 1)

    async def slow_workspaces(self: Records, resource: Any, keys: Sequence[UUID]) -> dict[UUID, Any]:
        if resource.name == "workspace":
            loading.set()
            for _ in range(50):  # turns of the event loop, not time
                await asyncio.sleep(0)
        return await many(self, resource, keys)

    monkeypatch.setattr(Records, "related_counts", counts_without_the_first)
    monkeypatch.setattr(Records, "many", slow_workspaces)
    # What asks for the schema goes down the general path, where a load is shared.
    query = """{ __type(name: "Item") { name } items(orderBy: [{field: TITLE}]) { nodes {
        title comments { totalCount nodes { item { workspace { isPersonal } } } } } } }"""
    body = await graphql.run(query, actor=ada)
    shown = {"totalCount": 1, "nodes": [{"item": {"workspace": {"isPersonal": True}}}]}
    assert [(node["title"], node["comments"]) for node in body["data"]["items"]["nodes"]] == [
        ("Wheel 0", None), ("Wheel 1", shown), ("Wheel 2", shown),
    ]  # fmt: skip
    (error,) = body["errors"]
    _check(error["extensions"])


async def test_fault_while_writing_leaves_nothing_behind(
    face: Face, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = await make_label(face, ada)
    with monkeypatch.context() as patch:
        _break_reading(patch)
        answer = await face.call("update_label", ada, {"name": "steel"}, id=label["id"])
    _check(answer.members)
    assert await face.ok("get_label", ada, id=label["id"]) == label
