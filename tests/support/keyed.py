"""Writes with idempotency keys, through either face, and what came back to the byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from sqlalchemy import func, select, update

from gateway.parity.calls.documents import graphql_request
from gateway.parity.calls.requests import rest_request
from services.engine.gateway import Gateway
from services.engine.idempotency.models import StoredAnswer
from tests.support.accounts import Account
from tests.support.faces import Face, GraphQLFace, RestFace


async def send(
    face: Face, name: str, actor: Account | None = None, data: Mapping[str, Any] | None = None, *,
    key: str | None, id: str | None = None, client: httpx.AsyncClient | None = None,
) -> httpx.Response:  # fmt: skip
    """Call an operation with the header `Idempotency-Key`, from another client if one is given."""
    given = {**(actor.headers if actor else {}), "Content-Type": "application/json"}
    headers = httpx.Headers(given if key is None else {**given, "Idempotency-Key": key}, encoding="latin-1")
    client, operation = client or face.client, face.operation(name)
    if isinstance(face, RestFace):
        asked = rest_request(operation, id, data, {})
        return await client.request(asked.method, f"/api/v1{asked.path}", content=asked.content, headers=headers)
    body = orjson.dumps(graphql_request(operation, id, data, {}))
    return await client.post("/graphql", content=body, headers=headers)


def code(face: Face, response: httpx.Response) -> str | None:
    """The problem that a response tells of, if any."""
    found = RestFace.read(response) if face.name == "rest" else GraphQLFace.read(response)
    return found.problem if found is not None else None


def retry_after(face: Face, response: httpx.Response) -> int:
    """For how long to wait, in the header and in the problem alike."""
    members = response.json() if face.name == "rest" else response.json()["errors"][0]["extensions"]
    assert response.headers["retry-after"] == str(members["retry_after"])
    return int(members["retry_after"])


def told(response: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """What a client sees of a response, but for what is of the request: its id, its time, and that it is a retry."""
    ours = ("x-request-id", "server-timing", "idempotency-replayed")
    headers = {name: value for name, value in response.headers.items() if name not in ours}
    return response.status_code, response.content, headers


def is_replay(response: httpx.Response) -> bool:
    """Whether the header says that it was given before."""
    return bool(response.headers.get("idempotency-replayed") == "true")


async def titles(face: Face, actor: Account) -> list[str]:
    """The titles of all items that an account sees."""
    return sorted(each["title"] for each in (await face.ok("list_items", actor, limit=100))["data"])


async def kept(gateway: Gateway) -> int:
    """How many answers are kept."""
    async with gateway.database.reading() as session:
        return int((await session.execute(select(func.count()).select_from(StoredAnswer))).scalar_one())


async def age(gateway: Gateway, hours: float) -> None:
    """Make all answers older."""
    async with gateway.database.unit_of_work() as session:
        older = StoredAnswer.created_at - func.make_interval(0, 0, 0, 0, 0, int(hours * 60))
        await session.execute(update(StoredAnswer).values(created_at=older))
        await session.commit()


async def post(
    client: httpx.AsyncClient, body: Any, actor: Account | None, key: str | None = None, accept: str = "*/*"
) -> httpx.Response:
    """A GraphQL request, or a list of them, with the header."""
    headers = {**(actor.headers if actor else {}), "Accept": accept, "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": key} if key is not None else {}
    return await client.post("/graphql", content=orjson.dumps(body), headers=headers)


def failed(answer: httpx.Response) -> list[tuple[str, str]]:
    """The fields of a GraphQL answer that failed, of all of a batch, and why."""
    found = answer.json()
    errors = [error for each in (found if isinstance(found, list) else [found]) for error in each.get("errors", [])]
    return [(".".join(map(str, error.get("path", []))), error["extensions"]["code"]) for error in errors]
