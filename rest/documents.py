"""Published documents at `/documents/{name}`: GET, with the document's variables as query parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rest.http.negotiation import negotiated
from rest.http.problems import PROBLEM_MEDIA_TYPE, problem_response
from rest.paying import asks_for_the_price
from services.catalogue import Client, Problem
from services.catalogue.json_input import refuse_twice
from services.catalogue.problems import BAD_REQUEST, NOT_FOUND, VALIDATION_FAILED, FieldError
from services.catalogue.scalars import written_number
from services.documents.publishing import DocumentCaller, DocumentRunner, Parameter, ParameterKind, UnfitDocumentError
from services.documents.trusted import TrustedDocuments
from services.engine.gateway import Gateway
from services.identity.auth.authentication import Presented

PATH: Final = "/documents"
ADDRESS: Final = f"{PATH}/{{id}}"
"""Where a published document is; `id` stands for its name."""
MAX_VALUES: Final = 100
"""Values of one parameter."""
_BOOLEANS: Final = {"true": True, "false": False}


class DocumentRoutes:
    """The route of all published documents; `direct` has it once more, as an application that needs no framework."""

    def __init__(self, runner: DocumentRunner, prefix: str) -> None:
        self._runner = runner
        self.routes = [Route(prefix + ADDRESS, self._get, methods=["GET", "HEAD"])]
        self.direct: dict[tuple[str, str], ASGIApp] = {("GET", prefix + ADDRESS): self._application}

    async def _get(self, request: Request) -> Response:
        gateway: Gateway = request.app.state.gateway
        negotiated(request.scope["headers"])
        document = (await gateway.part(TrustedDocuments).current()).published.get(request.path_params["id"])
        if document is None:
            raise Problem(NOT_FOUND)
        try:
            described = self._runner.describe(document)
        except UnfitDocumentError:
            # The schema has moved away from it: there is no such address any more, as OpenAPI has it.
            raise Problem(NOT_FOUND) from None
        dry = asks_for_the_price(request)
        variables = variables_of(described.parameters, request.scope["query_string"])
        host = request.client.host if request.client else ""
        presented = Presented.of(request.scope["headers"], host)
        caller = DocumentCaller(gateway, presented, Client(host, request.headers.get("user-agent", "")), dry)
        ran = await self._runner.run(document, variables, caller)
        if ran.problem is None:
            return Response(orjson.dumps(ran.data), 200, dict(ran.headers), "application/json")
        status: int = ran.problem["status"]
        return Response(orjson.dumps(ran.problem), status, dict(ran.headers), PROBLEM_MEDIA_TYPE)

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._get(Request(scope, receive))
        except Problem as problem:
            response = problem_response(problem)
        await response(scope, receive, send)


def variables_of(parameters: Sequence[Parameter], query_string: bytes) -> dict[str, Any]:
    """The values of a query string as JSON values, as far as their texts allow.

    A list's values each come under its name. What is not of its type stays a text, for the document's own types to
    refuse: who calls is looked at first. Raises `bad_request` for what is not UTF-8, `validation_failed` naming
    parameters that are unknown, or given twice, `bad_request` for a name twice in an object.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Problem(BAD_REQUEST, "The query string is not valid UTF-8.") from None
    known = {each.name: each for each in parameters}
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    errors = [FieldError((name,), *fault) for name, texts in given.items() if (fault := _fault(known.get(name), texts))]
    if errors:
        raise Problem(VALIDATION_FAILED, errors=errors)
    return {name: _value(known[name], texts) for name, texts in given.items()}


def _fault(parameter: Parameter | None, texts: Sequence[str]) -> tuple[str, str] | None:
    if parameter is None:
        return "unknown", "There is no such parameter."
    if len(texts) > 1 and not parameter.many:
        return "conflict", "This parameter is given twice."
    if len(texts) > MAX_VALUES:
        return "length", f"This parameter may be given {MAX_VALUES} times at most."
    return None


def _value(parameter: Parameter, texts: Sequence[str]) -> Any:
    read = partial(_json, parameter.name) if parameter.kind is ParameterKind.JSON else _READERS[parameter.kind]
    return [read(each) for each in texts] if parameter.many else read(texts[0])


def _json(name: str, text: str) -> Any:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    refuse_twice(text.encode(), f"`{name}`", (name,))
    return found


_READERS: Final[Mapping[ParameterKind, Any]] = {
    ParameterKind.TEXT: str,
    ParameterKind.INTEGER: written_number,
    ParameterKind.NUMBER: written_number,
    ParameterKind.BOOLEAN: lambda text: _BOOLEANS.get(text, text),
}
