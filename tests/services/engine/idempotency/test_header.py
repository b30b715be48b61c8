"""The header `Idempotency-Key`: draft-ietf-httpapi-idempotency-key-header."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from rest.openapi.document import openapi_document
from services.engine.gateway import Gateway
from services.engine.idempotency.keys import FORM
from tests.support.accounts import Account
from tests.support.contract import resolved
from tests.support.faces import RestFace
from tests.support.factories import make_item


async def post(client: httpx.AsyncClient, actor: Account | None, path: str, key: str, **more: Any) -> httpx.Response:
    headers = {**(actor.headers if actor else {}), "Idempotency-Key": key}
    return await client.post(f"/api/v1{path}", headers=headers, **more)


async def test_status_and_location_are_the_first_ones(client: httpx.AsyncClient, ada: Account) -> None:
    first = await post(client, ada, "/items", "k", json={"title": "Wheel"})
    again = await post(client, ada, "/items", "k", json={"title": "Wheel"})
    assert (again.status_code, again.headers["location"]) == (201, f"/api/v1/items/{first.json()['id']}")
    for response in (first, again):
        assert response.headers["content-type"] == "application/json"
        assert response.headers["content-length"] == str(len(response.content))
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_empty_answer_is_kept_too(client: httpx.AsyncClient, rest: RestFace, ada: Account) -> None:
    item = await make_item(rest, ada)
    headers = {**ada.headers, "Idempotency-Key": "k"}
    answers = [await client.delete(f"/api/v1/items/{item['id']}", headers=headers) for _ in range(2)]
    assert [(each.status_code, each.content) for each in answers] == [(204, b"")] * 2
    without = await client.delete(f"/api/v1/items/{item['id']}", headers=ada.headers)
    assert without.status_code == 404


async def test_what_is_to_be_shown_is_part_of_the_request(client: httpx.AsyncClient, ada: Account) -> None:
    first = await post(client, ada, "/items?fields=title&include=labels", "k", json={"title": "Wheel"})
    again = await post(client, ada, "/items?fields=title&include=labels", "k", json={"title": "Wheel"})
    assert again.content == first.content
    other = await post(client, ada, "/items?fields=title", "k", json={"title": "Wheel"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_form_and_json_are_the_same_sign_in(client: httpx.AsyncClient, ada: Account) -> None:
    data = {"username": ada.username, "password": ada.password}
    first = await post(client, None, "/auth/login", ada.id, data=data)
    assert (await post(client, None, "/auth/login", ada.id, json=data)).content == first.content


async def test_header_is_ignored_on_safe_methods(client: httpx.AsyncClient, ada: Account) -> None:
    for key in ("k", '"', ""):
        for method in ("GET", "HEAD"):
            answer = await client.request(method, "/api/v1/users/me", headers={**ada.headers, "Idempotency-Key": key})
            assert (answer.status_code, "idempotency-replayed" in answer.headers) == (200, False)


async def test_body_is_judged_each_time(client: httpx.AsyncClient, ada: Account) -> None:
    await post(client, ada, "/items", "k", json={"title": "Wheel"})
    for content, media_type, status in ((b"{", "application/json", 400), (b"{}", "text/plain", 415)):
        headers = {**ada.headers, "Idempotency-Key": "k", "Content-Type": media_type}
        answer = await client.post("/api/v1/items", headers=headers, content=content)
        assert answer.status_code == status


def test_document_tells_of_the_header(gateway: Gateway) -> None:
    document = openapi_document(gateway.catalogue, title="", version="", prefix="")
    parameter = document["components"]["parameters"]["Idempotency-Key"]
    assert (parameter["in"], parameter["required"], parameter["schema"]["pattern"]) == ("header", False, FORM)
    reference = {"$ref": "#/components/parameters/Idempotency-Key"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            # The bytes of a file are the same however often they are sent.
            is_write = method != "get" and not path.endswith(("/search", "/content"))
            assert (reference in operation["parameters"]) is is_write
            if not is_write:
                continue
            responses = {status: resolved(document, each) for status, each in operation["responses"].items()}
            success = next(each for status, each in responses.items() if status.startswith("2"))
            assert "Idempotency-Replayed" in success["headers"]
            examples = {
                code for status in ("409", "422", "default")
                for code in responses[status]["content"]["application/problem+json"]["examples"]
            }  # fmt: skip
            assert {"bad_request", "idempotency_conflict", "idempotency_key_reused"} <= examples
            assert "Retry-After" in responses["409"]["headers"]


@pytest.mark.parametrize(
    ("text", "fits"), [("a", True), ('"a b"', True), ('"\\""', True), ("x" * 255, True), ("", False), ("a b", False)]
)
def test_pattern_in_the_document_is_what_is_accepted(text: str, fits: bool) -> None:
    assert bool(re.search(FORM, text)) is fits
