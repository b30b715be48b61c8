"""What Swagger UI fills in for each operation can be sent as it is, on the demo data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.contract import resolved
from tests.support.server import LiveServer

ABOUT_ROWS = {"not_found", "unique", "wrong", "invalid", "conflict"}
"""Codes of fields that are well formed, but of no row that is there, or of one that is there already."""


NOT_IN_THE_DEMO = ("aud_0198c0de", "inv_0198c0de", "job_0198c0de")
"""Identifiers of rows that come by themselves, or by mail: the demo data has none with the key of examples."""


@dataclass(frozen=True)
class Prefilled:
    """One operation, as it would be sent."""

    name: str
    method: str
    url: str
    query: Mapping[str, str]
    content: bytes | None

    @property
    def asks(self) -> bool:
        return self.method in ("GET", "HEAD") or self.url.endswith("/search")


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
    """Every operation of the document, those that only ask first."""
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


@pytest.fixture(scope="module")
def document(live: LiveServer) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{live.url}/api/v1/openapi.json").json()
    return found


_SIGNED_IN: dict[str, str] = {}


def send(live: LiveServer, each: Prefilled) -> httpx.Response:
    """Signed in anew where one of them has ended the session."""
    with httpx.Client(base_url=live.url) as client:
        if client.get("/api/v1/users/me", headers=_SIGNED_IN).status_code == 401:
            credentials = {"username": live.username, "password": live.password}
            signed = client.post("/api/v1/auth/login", json=credentials).json()
            _SIGNED_IN["Authorization"] = f"Bearer {signed['access_token']}"
        headers = dict(_SIGNED_IN)
        if each.content is not None:
            headers["Content-Type"] = "application/json"
        return client.request(each.method, each.url, params=each.query, content=each.content, headers=headers)


def test_what_is_prefilled_is_answered(live: LiveServer, document: dict[str, Any]) -> None:
    for each in (found for found in prefilled(document) if found.asks):
        answer = send(live, each)
        absent = any(identifier in each.url for identifier in NOT_IN_THE_DEMO)
        assert answer.status_code == (404 if absent else 200), (each, answer.text)


def test_what_is_prefilled_is_well_formed(live: LiveServer, document: dict[str, Any]) -> None:
    for each in (found for found in prefilled(document) if not found.asks):
        answer = send(live, each)
        assert answer.status_code < 500, (each, answer.text)
        if answer.status_code in (400, 415, 422):
            errors = answer.json().get("errors", [])
            assert errors, (each, answer.text)
            assert {error["code"] for error in errors} <= ABOUT_ROWS, (each, answer.text)


def test_sign_in_succeeds_with_what_is_prefilled(live: LiveServer, document: dict[str, Any]) -> None:
    (login,) = [each for each in prefilled(document) if each.name == "login"]
    assert send(live, login).status_code == 200


def test_what_is_prefilled_for_a_list_is_a_plain_page(document: dict[str, Any]) -> None:
    (found,) = [each for each in prefilled(document) if each.name == "listItems"]
    assert found.query == {"limit": "20", "skip": "0", "count": "false"}
