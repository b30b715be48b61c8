"""The GraphQL face's endpoint: GraphQL over HTTP at one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import DocumentNode, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response

from graphql_schema.complexity import check_complexity
from graphql_schema.context import Context
from graphql_schema.documents import Documents, Prepared
from graphql_schema.errors import document_problem, error_json, problem_of
from graphql_schema.schema import GatewaySchema
from graphql_schema.values import called_operations, input_problem, literal_errors, variable_errors
from services.auth.authentication import Authenticator
from services.catalogue import Actor, Catalogue, Client, Operation, Problem
from services.catalogue.problems import (
    BAD_REQUEST,
    INVALID_TOKEN,
    METHOD_NOT_ALLOWED,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
)
from services.execution import Gateway, authorize

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"
MAX_DEPTH: Final = 50
"""Levels of lists and objects in `variables`."""


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of a request (GraphQL over HTTP)."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


class GraphQLEndpoint:
    """Parses the request, finds the actor, runs the operation, shapes the answer.

    `page` answers a browser's GET with GraphiQL, and returns None to anything else.
    """

    def __init__(
        self,
        schema: GatewaySchema,
        catalogue: Catalogue,
        *,
        suggestions: bool,
        page: Callable[[Request], Response | None],
    ) -> None:
        self._schema, self._catalogue, self._page = schema, catalogue, page
        self._core = schema._schema  # noqa: SLF001 - validation is graphql-core's, and Strawberry has no other way to it
        self._documents = Documents(self._core, suggestions=suggestions)

    async def __call__(self, request: Request) -> Response:
        """Answer GET and POST."""
        shown = self._page(request) if request.method != "POST" and "query" not in request.query_params else None
        if shown is not None:
            return shown
        typed = GRAPHQL_JSON in request.headers.get("accept", "")
        try:
            asked = await _read(request)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status)
        try:
            context = await self._context(request, asked)
        except RefusedError as refused:
            return _answer({"errors": refused.errors}, typed, refused.status if typed else 200)
        except Problem as problem:
            # A token that is worth nothing is refused by HTTP too, whatever the client accepts.
            by_http = typed or problem.type in (INVALID_TOKEN, METHOD_NOT_ALLOWED)
            return _refusal(problem, typed, problem.type.status if by_http else 200)
        return await self._run(asked, context, typed)

    async def _context(self, request: Request, asked: GraphQLRequest) -> Context:
        """What the operation needs to run, once nothing is wrong with the request. Raises what is."""
        gateway: Gateway = request.app.state.gateway
        prepared = self._documents.prepare(asked.query)
        document, operation = _runnable(prepared, asked)
        if request.method != "POST" and operation.operation is not OperationType.QUERY:
            raise Problem(METHOD_NOT_ALLOWED, "GET is for queries; send mutations by POST.", allow="POST")
        called = called_operations(self._catalogue, operation)
        authorization = request.headers.get("authorization")
        only = called if len(called) == len(operation.selection_set.selections) else ()
        actor = await gateway.part(Authenticator).actor_for(only, authorization)
        self._check_values(actor, called, prepared, operation, asked)
        check_complexity(self._core, document, operation, asked.variables)
        client = Client(request.client.host if request.client else "", request.headers.get("user-agent", ""))

        async def authenticate() -> Actor:
            return await gateway.part(Authenticator).actor_for(only, authorization)

        return Context(gateway, actor, client, document, authenticate)

    async def _run(self, asked: GraphQLRequest, context: Context, typed: bool) -> Response:
        result: Any = await self._schema.execute(
            asked.query,
            variable_values=dict(asked.variables),
            context_value=context,
            operation_name=asked.operation_name,
        )
        body: dict[str, Any] = {"data": result.data}
        headers: dict[str, str] = {}
        if result.errors:
            problems = [(problem_of(error), error) for error in result.errors]
            body["errors"] = [error_json(problem, error) for problem, error in problems]
            headers = {name: value for problem, _ in problems for name, value in problem.headers().items()}
        return _answer(body, typed, 200, headers)

    def _check_values(
        self,
        actor: Actor,
        called: Sequence[Operation],
        prepared: Prepared,
        operation: OperationDefinitionNode,
        asked: GraphQLRequest,
    ) -> None:
        """Raises `validation_failed` for values of the wrong type, in the document or in the variables.

        Who may not call an operation is told that instead, as on the other face.
        """
        assert prepared.document is not None
        errors = variable_errors(self._core, operation, asked.variables)
        if prepared.values:
            errors += literal_errors(self._core, prepared.document, prepared.values, asked.variables)
        if errors:
            for each in called:
                authorize(each, actor)
            judged = input_problem(self._catalogue, operation, asked.variables)
            raise judged if judged is not None and judged.errors else Problem(VALIDATION_FAILED, errors=errors)


class RefusedError(Exception):
    """A document that cannot be run, with the entries of `errors` that say why."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        problems = [(document_problem(error), error) for error in prepared.structure]
        self.errors = [error_json(problem, error) for problem, error in problems]
        self.status = problems[0][0].type.status


def _runnable(prepared: Prepared, asked: GraphQLRequest) -> tuple[DocumentNode, OperationDefinitionNode]:
    if prepared.structure or prepared.document is None:
        raise RefusedError(prepared)
    return prepared.document, prepared.operation(asked.operation_name)


async def _read(request: Request) -> GraphQLRequest:
    """The parameters of a request. Raises `bad_request` or `unsupported_media_type`."""
    if request.method != "POST":
        query = request.query_params
        return _parameters(
            {
                "query": query.get("query"),
                "operationName": query.get("operationName"),
                "variables": _json(query["variables"].encode()) if query.get("variables") else None,
            }
        )
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The body must be {JSON}.")
    found = _json(await request.body())
    if not isinstance(found, dict):
        raise Problem(BAD_REQUEST, "The body must be a JSON object.")
    return _parameters(found)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Problem(BAD_REQUEST, "The body is not well-formed JSON in UTF-8.") from None


def _parameters(found: Mapping[str, Any]) -> GraphQLRequest:
    query, variables, name = found.get("query"), found.get("variables"), found.get("operationName")
    if not isinstance(query, str) or not query:
        raise Problem(BAD_REQUEST, "`query` must be a GraphQL document.")
    if not isinstance(variables, (dict, type(None))):
        raise Problem(BAD_REQUEST, "`variables` must be an object.")
    if _is_deep(variables):
        raise Problem(BAD_REQUEST, f"`variables` may nest at most {MAX_DEPTH} deep.")
    if not isinstance(name, (str, type(None))):
        raise Problem(BAD_REQUEST, "`operationName` must be a string.")
    return GraphQLRequest(query, variables or {}, name or None)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _refusal(problem: Problem, typed: bool, status: int) -> Response:
    return _answer({"errors": [error_json(problem)]}, typed, status, problem.headers())


def _answer(body: Mapping[str, Any], typed: bool, status: int, headers: Mapping[str, str] | None = None) -> Response:
    media_type = GRAPHQL_JSON if typed else JSON
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type=f"{media_type}; charset=utf-8")
