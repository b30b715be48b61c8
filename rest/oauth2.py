"""The OAuth2 password form (RFC 6749, 4.3.2) of `POST /auth/login`: the hand-written half of the operation `login`."""

from __future__ import annotations

from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.catalogue import Problem
from services.catalogue.problems import BAD_REQUEST

OPERATION: Final = "login"
FORM: Final = "application/x-www-form-urlencoded"

# The form's own fields; the client's credentials are accepted as RFC 6749 has them, and not looked at.
_IGNORED: Final = ("client_id", "client_secret")


async def form_body(request: Request) -> bytes:
    """The form as the operation's JSON input.

    Raises `validation_failed` for another grant type, `bad_request` for bytes that are not UTF-8.
    """
    try:
        async with request.form(max_fields=10) as form:
            given = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    except HTTPException as error:
        raise Problem(BAD_REQUEST, error.detail) from None
    pairs = [(name, value) for name, value in given if name not in _IGNORED]
    fields = dict(pairs)
    for name in fields:
        if sum(each == name for each, _ in pairs) > 1:
            raise Problem.field(name, "conflict", "This field is given twice.")
    if fields.pop("grant_type", "password") not in ("password", ""):
        raise Problem.field("grant_type", "choice", "Only the password grant is offered.")
    if not fields.get("scope"):
        fields.pop("scope", None)
    try:
        return orjson.dumps(fields)
    except TypeError:
        raise Problem(BAD_REQUEST, "The form is not valid UTF-8.") from None
