"""An address has one spelling, on the gateway's fast way and the framework's alike, so that a proxy's rules hold."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.settings import Settings
from tests.support.accounts import Account, sign_up
from tests.support.apps import Running, running
from tests.support.factories import make_item

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE", "QUERY"]


@pytest.fixture(params=["fast", "framework"], scope="module")
async def either(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A gateway with its fast way, and one where all goes through the framework."""
    async with running(settings.model_copy(update={"OPENTELEMETRY": request.param == "framework"})) as found:
        assert bool(getattr(found.app, "direct", None)) == (request.param == "fast")
        yield found


@pytest.fixture
async def eve(either: Running) -> Account:
    return await sign_up(either.client)


OTHERS = [
    "/api/v1/items%2F{id}", "/api/v1/items%2f{id}", "/api/v1/items/{id}%2Fcomments", "/api/v1%2Fjobs",
    "/api%2Fv1%2Fitems", "/%2Fapi/v1/items", "/api/v1/items%2F", "/api/v1/items%2Fsearch", "/api/v1/items%5C{id}",
    "/api/v1%5Citems", "/api/v1/items/%2E%2E/items", "/api/v1/%2e/items", "/api/v1//items", "//api/v1/items",
    "/api/v1/items//", "/api/v1/items;a=b", "/api/v1/items%252F{id}", "/api/v1/items%00", "/api/v1/items/{id}%00",
    "/api/v1/items/{id}%0A", "/api/v1/%69tems", "/api/v1/item%73/{id}", "/api/v1/users/m%65", "/api/%761/items",
    "/graphql%2F", "/graphq%6C", "/graphql%2Fx", "/docs%2F", "/%64ocs", "/redoc%2F", "/health%2Fready",
    "/health/read%79", "/problems%2Fnot_found", "/api/v1%2Fopenapi.json", "/api/v1/openapi%2Ejson",
    "/api/v1/files/{id}%2Fcontent", "/api/v1/files%2F{id}/content", "/.well-known%2Foauth-authorization-server",
]  # fmt: skip


@pytest.mark.parametrize("address", OTHERS)
async def test_other_spelling_is_not_found(either: Running, eve: Account, address: str) -> None:
    path = address.replace("{id}", "itm_01a20e75d5bb7121880e97f46912d728")
    answers = {each: (await either.client.request(each, path, headers=eve.headers)).status_code for each in METHODS}
    assert answers == dict.fromkeys(METHODS, 404)


async def test_other_spelling_of_what_exists_is_not_found(either: Running, eve: Account) -> None:
    item = (await make_item(either.face("rest"), eve))["id"]
    assert (await either.client.get(f"/api/v1/items/{item}", headers=eve.headers)).status_code == 200
    for each in (f"items%2F{item}", f"items/itm%5F{item[4:]}", f"items/{item}%2Flabels"):
        answer = await either.client.get(f"/api/v1/{each}", headers=eve.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    deleted = await either.client.delete(f"/api/v1/items%2F{item}", headers=eve.headers)
    assert deleted.status_code == 404
    assert (await either.client.get(f"/api/v1/items/{item}", headers=eve.headers)).status_code == 200


async def test_refusal_is_in_the_form_of_the_face(either: Running) -> None:
    answer = await either.client.post("/graphql%2F", json={"query": "{ __typename }"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (404, "not_found")
    answer = await either.client.get("/api/v1%2Fitems")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]


async def test_what_has_to_be_encoded_reaches_the_operation(either: Running, eve: Account) -> None:
    answer = await either.client.get("/api/v1/items/%3A%C3%A9%20", headers=eve.headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "id")
