"""Forms with a file on REST: what they may ask for, and what they may look like."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.accounts import Account
from tests.support.faces import RestFace

HEAD = b"--b\r\nContent-Disposition: form-data; "
FILE = HEAD + b'name="file"; filename="a"\r\n\r\nabc\r\n--b--\r\n'


async def post(rest: RestFace, actor: Account, body: Any, query: str = "", **headers: str) -> httpx.Response:
    """Send a form."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    own = {**actor.headers, "Content-Type": "multipart/form-data; boundary=b", **given}
    return await rest.client.post(f"/api/v1/files{query}", content=body, headers=own)


async def nothing_is_left(rest: RestFace, actor: Account) -> None:
    assert (await rest.ok("list_files", actor, filter={"user_id": actor.id}))["data"] == []


@pytest.mark.parametrize("body", [FILE, b"no form, which nobody finds out"])
async def test_a_form_with_an_idempotency_key_is_refused_before_it_is_read(
    rest: RestFace, ada: Account, body: bytes
) -> None:
    answer = await post(rest, ada, body, Idempotency_Key="only-once")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_unsupported")
    malformed = await post(rest, ada, body, Idempotency_Key='"')
    assert (malformed.status_code, "Idempotency-Key" in malformed.json()["detail"]) == (400, True)
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize("query", ["?nonsense=1", "?fields=id", "?include=workspace"])
async def test_a_form_has_no_more_query_parameters_than_json(rest: RestFace, ada: Account, query: str) -> None:
    answer = await post(rest, ada, b"no form", query)
    json = await rest.send("POST", f"/files{query}", ada, content=b'{"name": "a", "size": 3}')
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"] == json.json()["errors"]
    await nothing_is_left(rest, ada)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Match": '"x"'}, 412), ({"If_Match": "nonsense"}, 400), ({"If_None_Match": "*"}, 412),
        ({"If_Match": "*"}, 201), ({"If_None_Match": '"x"'}, 201),
    ],
)  # fmt: skip
async def test_a_form_is_as_conditional_as_json(
    rest: RestFace, ada: Account, headers: dict[str, str], status: int
) -> None:
    answer = await post(rest, ada, FILE, **headers)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    json = await rest.send("POST", "/files", ada, content=b'{"name": "a", "size": 3}', headers=given)
    assert (answer.status_code, json.status_code) == (status, status)
    if status != 201:
        assert answer.json()["code"] == json.json()["code"]
        await nothing_is_left(rest, ada)
