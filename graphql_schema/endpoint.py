"""The GraphQL face's endpoint: GraphQL over HTTP at one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response

from graphql_schema.context import Context
from graphql_schema.documents import Documents, Prepared
from graphql_schema.errors import document_problem, error_json, problem_of
from graphql_schema.naming import field_name
from graphql_schema.schema import GatewaySchema
from graphql_schema.values import called_operations, input_problem, literal_errors, values_problem, variable_errors
from services.auth.authentication import Authenticator
from services.catalogue import ANONYMOUS, Actor, Catalogue, Client, Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_TOKEN, METHOD_NOT_ALLOWED, UNSUPPORTED_MEDIA_TYPE
from services.execution import Gateway, authorize

JSON: Final = "application/json"
GRAPHQL_JSON: Final = "application/graphql-response+json"


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of a request (GraphQL over HTTP)."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


class GraphQLEndpoint:
    """Parses the request, finds the actor, runs the operation, shapes the answer.

    `page` answers a browser's GET with GraphiQL.
    """

    def __init__(
        self, schema: GatewaySchema, catalogue: Catalogue, *, suggestions: bool, page: Callable[[Request], Response]
    ) -> None:
        self._schema, self._catalogue, self._page = schema, catalogue, page
        self._open = {field_name(each) for each in catalogue.operations.values() if each.scope is None}
        self._core = schema._schema  # noqa: SLF001 - validation is graphql-core's, and Strawberry has no other way to it
        self._documents = Documents(self._core, suggestions=suggestions)

    async def __call__(self, request: Request) -> Response:
        """Answer GET and POST."""
        if request.method in ("GET", "HEAD") and wants_page(request):
            return self._page(request)
        typed = GRAPHQL_JSON in request.headers.get("accept", "")
        gateway: Gateway = request.app.state.gateway
        try:
            asked = await _read(request)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status)
        try:
            prepared = self._documents.prepare(asked.query)
            document, operation = _runnable(prepared, asked)
            if request.method != "POST" and operation.operation is not OperationType.QUERY:
                wrong = Problem(METHOD_NOT_ALLOWED, "GET is for queries; send mutations by POST.", allow="POST")
                return _refusal(wrong, typed, 405)
            actor = await self._actor(request, gateway, operation)
            self._check_values(actor, prepared, operation, asked)
        except RefusedError as refused:
            return _answer({"errors": refused.errors}, typed, refused.status if typed else 200)
        except Problem as problem:
            # A token that is worth nothing is refused by HTTP too, whatever the client accepts.
            return _refusal(problem, typed, problem.type.status if typed or problem.type is INVALID_TOKEN else 200)
        client = Client(request.client.host if request.client else "", request.headers.get("user-agent", ""))
        return await self._run(asked, Context(gateway, actor, client, document), typed)

    async def _actor(self, request: Request, gateway: Gateway, operation: OperationDefinitionNode) -> Actor:
        """The actor of a request; what is open to everybody does not look at credentials. Raises `invalid_token`."""
        selected = operation.selection_set.selections
        if all(isinstance(each, FieldNode) and each.name.value in self._open for each in selected):
            return ANONYMOUS
        return await gateway.part(Authenticator).actor(request.headers.get("authorization"))

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
        self, actor: Actor, prepared: Prepared, operation: OperationDefinitionNode, asked: GraphQLRequest
    ) -> None:
        """Raises `validation_failed` for values of the wrong type, in the document or in the variables.

        Who may not call an operation is told that instead, as on the other face.
        """
        assert prepared.document is not None
        errors = literal_errors(prepared.document, prepared.values) if prepared.values else []
        errors += variable_errors(self._core, operation, asked.variables)
        if errors:
            for called in called_operations(self._catalogue, operation):
                authorize(called, actor)
            raise input_problem(self._catalogue, operation, asked.variables) or values_problem(errors)


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


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to look at."""
    return "text/html" in request.headers.get("accept", "") and "query" not in request.query_params


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
    if not isinstance(name, (str, type(None))):
        raise Problem(BAD_REQUEST, "`operationName` must be a string.")
    return GraphQLRequest(query, variables or {}, name or None)


def _refusal(problem: Problem, typed: bool, status: int) -> Response:
    return _answer({"errors": [error_json(problem)]}, typed, status, problem.headers())


def _answer(body: Mapping[str, Any], typed: bool, status: int, headers: Mapping[str, str] | None = None) -> Response:
    media_type = GRAPHQL_JSON if typed else JSON
    return Response(orjson.dumps(body), status, dict(headers or {}), media_type=f"{media_type}; charset=utf-8")
