"""Serves published documents at `GET /documents/{name}`, with their variables as query parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.http.negotiation import negotiated
from rest.http.problems import PROBLEM_MEDIA_TYPE, Endpoint
from rest.paying import asks_for_the_price
from rest.query import decode_value, raw_pairs
from services.catalogue import Client, Problem
from services.catalogue.json_input import refuse_twice
from services.catalogue.problems import NOT_FOUND, VALIDATION_FAILED, FieldError
from services.catalogue.scalars import written_number
from services.documents.publishing import (
    DocumentCaller,
    DocumentRunner,
    Parameter,
    ParameterKind,
    UnpublishableDocumentError,
)
from services.documents.trusted import TrustedDocuments
from services.engine.gateway import Gateway
from services.identity.auth.authentication import Credentials

PATH: Final = "/documents"
ADDRESS: Final = f"{PATH}/{{id}}"
"""The path of a published document; `id` is its name."""
MAX_VALUES: Final = 100
"""The most values of one parameter."""


def document_endpoint(runner: DocumentRunner) -> Endpoint:
    """Return the endpoint of all published documents."""

    async def endpoint(request: Request) -> Response:
        gateway: Gateway = request.app.state.gateway
        negotiated(request.scope["headers"])
        document = (await gateway.part(TrustedDocuments).current()).published.get(request.path_params["id"])
        if document is None:
            raise Problem(NOT_FOUND)
        try:
            described = runner.describe(document)
        except UnpublishableDocumentError:
            # The document does not fit the current schema, so OpenAPI does not list it either.
            raise Problem(NOT_FOUND) from None
        dry = asks_for_the_price(request)
        variables = variables_of(described.parameters, request.scope["query_string"])
        host = request.client.host if request.client else ""
        presented = Credentials.of(request.scope["headers"], host)
        caller = DocumentCaller(gateway, presented, Client(host, request.headers.get("user-agent", "")), dry)
        result = await runner.run(document, variables, caller)
        if result.problem is None:
            return Response(orjson.dumps(result.data), 200, dict(result.headers), "application/json")
        status: int = result.problem["status"]
        return Response(orjson.dumps(result.problem), status, dict(result.headers), PROBLEM_MEDIA_TYPE)

    return endpoint


def variables_of(parameters: Sequence[Parameter], query_string: bytes) -> dict[str, Any]:
    """Return the values of a query string as JSON values.

    A list is given by repeating its name. A value that is not of its parameter's type stays a string, which the
    document's types refuse later, after the caller has been authorized. Raises `bad_request` for invalid UTF-8 and for
    an object that repeats a name, `validation_failed` naming the parameters that are unknown or given twice.
    """
    known = {parameter.name: parameter for parameter in parameters}
    given: dict[str, list[str]] = {}
    for name, raw in raw_pairs(query_string):
        given.setdefault(name, []).append(decode_value(raw))
    errors = [FieldError((name,), *error) for name, texts in given.items() if (error := _error(known.get(name), texts))]
    if errors:
        raise Problem(VALIDATION_FAILED, errors=errors)
    values = {name: [_value(known[name], text) for text in texts] for name, texts in given.items()}
    return {name: found if known[name].many else found[0] for name, found in values.items()}


def _error(parameter: Parameter | None, texts: Sequence[str]) -> tuple[str, str] | None:
    if parameter is None:
        return "unknown", "There is no such parameter."
    if len(texts) > 1 and not parameter.many:
        return "conflict", "This parameter is given twice."
    if len(texts) > MAX_VALUES:
        return "length", f"This parameter may be given {MAX_VALUES} times at most."
    return None


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.kind is ParameterKind.TEXT:
        return text
    if parameter.kind is ParameterKind.BOOLEAN:
        return {"true": True, "false": False}.get(text, text)
    if parameter.kind is not ParameterKind.JSON:
        return written_number(text)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    refuse_twice(text.encode(), f"`{parameter.name}`", (parameter.name,))
    return value
