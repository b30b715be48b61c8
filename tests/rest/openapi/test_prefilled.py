"""What Swagger UI fills in for each operation can be sent as it is, and succeeds, on fresh sample data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from gateway.demo import DEMO_PASSWORD, DEMO_USERNAME, load_demo
from gateway.migrate import upgrade
from gateway.settings import Settings
from tests.support.accounts import sign_up
from tests.support.apps import running
from tests.support.contract import resolved
from tests.support.databases import empty_database

REFUSED = {
    "refreshToken": (
        401,
        "It is signed with the server's own key; Swagger UI sends the session's own (tests/proofs/test_sign_in.py).",
    ),
}
"""The operations that what is prefilled cannot succeed with: what they answer with, and why."""


@dataclass(frozen=True)
class Prefilled:
    """One operation, as it would be sent."""

    name: str
    method: str
    url: str
    query: Mapping[str, str]
    content: bytes | None

    @property
    def turn(self) -> int:
        """When it is sent: what only asks first, what deletes last."""
        asks = self.method in ("GET", "HEAD") or self.url.endswith("/search")
        return 0 if asks else 2 if self.method == "DELETE" else 1


def value_of(document: dict[str, Any], parameter: dict[str, Any]) -> Any:
    """What Swagger UI puts into the field of a parameter; None where that is left empty."""
    schema = resolved(document, parameter["schema"])
    for first in schema.get("anyOf", schema.get("oneOf", ()))[:1]:
        schema = {**schema, **resolved(document, first)}
    assert "content" not in parameter
    if "examples" in parameter:
        return next(iter(parameter["examples"].values()))["value"]
    found = parameter.get("example", schema.get("example", schema.get("default")))
    if found is None and parameter.get("required") and "enum" in schema:
        return schema["enum"][0]
    assert found is not None or schema["type"] != "object"
    return found


def body_of(document: dict[str, Any], operation: dict[str, Any]) -> bytes | None:
    """What Swagger UI puts into the field of a JSON body, which must be an example that somebody has thought of."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content or next(iter(content)) != "application/json":
        return None
    shape = content["application/json"]
    return json.dumps(
        shape["example"] if "example" in shape else resolved(document, shape["schema"])["examples"][0]
    ).encode()


def prefilled(document: dict[str, Any]) -> Iterator[Prefilled]:
    """Every operation of the document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            url, query = path, dict[str, str]()
            for parameter in (resolved(document, each) for each in operation["parameters"]):
                value = value_of(document, parameter)
                text = value if isinstance(value, str) else json.dumps(value)
                if parameter["in"] == "path":
                    url = url.replace(f"{{{parameter['name']}}}", quote(text))
                elif value is not None:
                    assert parameter["in"] == "query"
                    query[parameter["name"]] = text
            yield Prefilled(operation["operationId"], method.upper(), url, query, body_of(document, operation))


@asynccontextmanager
async def with_own_database(settings: Settings) -> AsyncIterator[Settings]:
    """The settings with a database that nothing is in."""
    async with empty_database(settings) as url:
        own = settings.model_copy(update={"DATABASE_URL": SecretStr(url)})
        await asyncio.to_thread(upgrade, own)
        yield own


@pytest.fixture(scope="module")
async def fresh(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with sample data that nobody has tried anything with."""
    async with with_own_database(settings) as own:
        await load_demo(own)
        async with running(own) as found:
            yield found.client


@pytest.fixture(scope="module")
async def document(fresh: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await fresh.get("/api/v1/openapi.json")).json()
    return found


async def signed_in(client: httpx.AsyncClient) -> dict[str, Any]:
    credentials = {"username": DEMO_USERNAME, "password": DEMO_PASSWORD}
    answer = await client.post("/api/v1/auth/login", json=credentials)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def send(client: httpx.AsyncClient, each: Prefilled, tokens: Mapping[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    if each.content is not None:
        headers["Content-Type"] = "application/json"
    return await client.request(each.method, each.url, params=each.query, content=each.content, headers=headers)


async def test_what_is_prefilled_succeeds(fresh: httpx.AsyncClient, document: dict[str, Any]) -> None:
    refused = {}
    for each in sorted(prefilled(document), key=lambda found: found.turn):
        answer = await send(fresh, each, await signed_in(fresh))
        if not answer.is_success:
            refused[each.name] = (answer.status_code, each, answer.text)

    assert {name: status for name, (status, *_) in refused.items()} == {
        name: status for name, (status, _) in REFUSED.items()
    }, refused
    await signed_in(fresh)  # whatever was tried out: the account that tries goes on


async def test_refresh_token_of_the_sign_in_can_be_pasted(fresh: httpx.AsyncClient, document: dict[str, Any]) -> None:
    (refresh,) = [each for each in prefilled(document) if each.name == "refreshToken"]
    tokens = await signed_in(fresh)
    pasted = json.dumps({"refresh_token": tokens["refresh_token"]}).encode()
    assert (await send(fresh, replace(refresh, content=pasted), tokens)).status_code == 200


async def test_published_tokens_are_good_for_nothing_without_sample_data(
    settings: Settings, document: dict[str, Any]
) -> None:
    by_mail = {"confirmEmail", "verifyEmail", "resetPassword", "acceptInvitation"}
    async with with_own_database(settings) as own, running(own) as found:
        ada = await sign_up(found.client)
        for each in (operation for operation in prefilled(document) if operation.name in by_mail):
            answer = await send(found.client, each, ada.tokens)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "invalid"), each


def test_what_is_prefilled_for_a_list_is_a_plain_page(document: dict[str, Any]) -> None:
    (found,) = [each for each in prefilled(document) if each.name == "listItems"]
    assert found.query == {"limit": "20", "skip": "0", "count": "false"}
