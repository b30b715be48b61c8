"""A form that sends a file is bounded in all that is not the file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import Account
from tests.support.faces import RestFace

PART = b"--b\r\nContent-Disposition: form-data; "
FILE = PART + b'name="file"; filename="a"\r\n\r\nabc\r\n--b--\r\n'
FIELD = PART + b'name="media_type"\r\n\r\n'
BEYOND: dict[str, tuple[bytes, int, Any]] = {
    "parts": (b"".join(PART + b'name="x%d"\r\n\r\n1\r\n' % each for each in range(20)) + FILE, 400, None),
    "a field": (FIELD + b"a" * 4_097 + b"\r\n" + FILE, 422, {"media_type": "length"}),
    "a header": (FIELD.replace(b"\r\n\r\n", b"\r\nX-A: " + b"a" * 4_096 + b"\r\n\r\n") + b"a/b\r\n" + FILE, 400, None),
    "a name": (FILE.replace(b'"a"', b'"' + b"a" * 256 + b'"'), 422, {"name": "length"}),
}


@pytest.mark.parametrize("case", BEYOND)
async def test_a_form_beyond_its_bounds_is_refused_and_leaves_nothing(rest: RestFace, ada: Account, case: str) -> None:
    body, status, errors = BEYOND[case]
    headers = {**ada.headers, "Content-Type": "multipart/form-data; boundary=b"}
    answer = await rest.client.post("/api/v1/files", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    found = {each["field"]: each["code"] for each in answer.json().get("errors", [])}
    assert found == (errors or {})
    assert (await rest.ok("list_files", ada, filter={"user_id": ada.id}))["data"] == []
