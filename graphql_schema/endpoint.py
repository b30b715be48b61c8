"""The GraphQL face's endpoint: GraphQL over HTTP at one path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphql import DocumentNode, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_schema.compiled import CompiledOperation, CompiledOperations
from graphql_schema.complexity import check_complexity
from graphql_schema.context import Context
from graphql_schema.documents import Documents, Prepared
from graphql_schema.errors import document_problem, error_json, problem_of
from graphql_schema.http import GRAPHQL_JSON, Answer, Asking, GraphQLRequest, read_request
from graphql_schema.running import Caller, Outcome
from graphql_schema.schema import GatewaySchema
from graphql_schema.values import called_operations, input_problem, literal_errors, variable_errors
from services import observation
from services.auth.authentication import Authenticator
from services.catalogue import ANONYMOUS, Actor, Catalogue, Operation, Problem
from services.catalogue.limits import Limits
from services.catalogue.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    INVALID_TOKEN,
    METHOD_NOT_ALLOWED,
    TOO_MANY_REQUESTS,
    VALIDATION_FAILED,
)

_BY_HTTP = (BAD_REQUEST, DEADLINE_EXCEEDED, INVALID_TOKEN, METHOD_NOT_ALLOWED, TOO_MANY_REQUESTS)
"""What is refused by HTTP too, whatever the client accepts: a credential that is worth nothing, say."""


class GraphQLEndpoint:
    """An ASGI application: parses the request, finds the actor, runs the operation, shapes the answer.

    `page` answers a browser's GET with GraphiQL, and returns None to anything else. `plans` and `plan_on_sight`: see
    CompiledOperations.
    """

    def __init__(
        self,
        schema: GatewaySchema,
        catalogue: Catalogue,
        *,
        suggestions: bool,
        plans: int,
        plan_on_sight: int,
        page: Callable[[Request], Response | None],
        limits: Limits,
    ) -> None:
        self._schema, self._catalogue, self._page, self._limits = schema, catalogue, page, limits
        self._core = schema._schema  # noqa: SLF001 - validation is graphql-core's, and Strawberry has no other way to it
        self._documents = Documents(self._core, suggestions=suggestions, limits=limits)
        self._compiled = CompiledOperations(
            self._core, catalogue, self._documents, size=plans, sight=plan_on_sight, limits=limits
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and POST."""
        if scope["method"] != "POST":
            request = Request(scope, receive)
            shown = self._page(request) if "query" not in request.query_params else None
            if shown is not None:
                await shown(scope, receive, send)
                return
        # The first of several fields of one name counts.
        headers = dict(reversed(scope["headers"]))
        answer = await self._answer(Asking(scope, headers), receive)
        raw, body = answer.encoded()
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, asking: Asking, receive: Receive) -> Answer:
        typed = GRAPHQL_JSON in asking.headers.get(b"accept", b"")
        try:
            asked = await read_request(asking, receive)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status)
        try:
            outcome = await self._run_compiled(asking, asked)
            if outcome is not None:
                return Answer(outcome.body, typed, 200, outcome.headers)
            observation.note_path("general")
            context = await self._context(asking, asked)
            with asking.slot(context.actor):
                return await self._run(asked, context, typed)
        except RefusedError as refused:
            return Answer({"errors": refused.errors}, typed, refused.status if typed else 200)
        except Problem as problem:
            by_http = typed or problem.type in _BY_HTTP
            return _refusal(problem, typed, problem.type.status if by_http else 200)

    async def _run_compiled(self, asking: Asking, asked: GraphQLRequest) -> Outcome | None:
        """What a compiled operation answers; None for what goes down the general path. Raises `invalid_token`."""
        gateway = asking.gateway
        if gateway.reader is None:
            return None
        operation = self._compiled.find(asked.query, asked.operation_name)
        at_once = operation is None and self._compiled.wants(asked.query, asked.operation_name)
        if at_once:
            operation = self._compile(asked)
        if operation is None or not (operation.is_query or asking.is_post):
            return None
        open_to_all = operation.open_to_all

        async def authenticate() -> Actor:
            return ANONYMOUS if open_to_all else await gateway.part(Authenticator).actor(asking.presented)

        caller = Caller(await authenticate(), asking.client, authenticate)
        with asking.slot(caller.actor):
            return await self._compiled.run(operation, gateway, caller, asked.variables, at_once=at_once)

    def _compile(self, asked: GraphQLRequest) -> CompiledOperation | None:
        prepared = self._documents.prepare(asked.query)
        if prepared.structure or prepared.values or prepared.document is None:
            return None
        operation = prepared.operation(asked.operation_name)
        called = called_operations(self._catalogue, operation)
        return self._compiled.compile(asked.query, asked.operation_name, prepared.document, operation, called)

    async def _context(self, asking: Asking, asked: GraphQLRequest) -> Context:
        """What the operation needs to run, once nothing is wrong with the request. Raises what is."""
        gateway = asking.gateway
        prepared = self._documents.prepare(asked.query)
        document, operation = _runnable(prepared, asked)
        if not asking.is_post and operation.operation is not OperationType.QUERY:
            raise Problem(METHOD_NOT_ALLOWED, "GET is for queries; send mutations by POST.", allow="POST")
        called = called_operations(self._catalogue, operation)
        only = called if len(called) == len(operation.selection_set.selections) else ()
        actor = await gateway.part(Authenticator).actor_for(only, asking.presented)

        async def authenticate() -> Actor:
            return await gateway.part(Authenticator).actor_for(only, asking.presented)

        context = Context(gateway, actor, asking.client, document, authenticate)
        await self._check_values(context, called, prepared, operation, asked)
        check_complexity(self._core, document, operation, asked.variables, self._limits)
        return context

    async def _run(self, asked: GraphQLRequest, context: Context, typed: bool) -> Answer:
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
        return Answer(body, typed, 200, headers)

    async def _check_values(
        self,
        context: Context,
        called: Sequence[Operation],
        prepared: Prepared,
        operation: OperationDefinitionNode,
        asked: GraphQLRequest,
    ) -> None:
        """Raises `validation_failed` for values of the wrong type, in the document or in the variables.

        Who may not call an operation is told that instead, as on the other face.
        """
        assert prepared.document is not None
        errors = variable_errors(self._core, prepared.document, operation, asked.variables, self._limits)
        if prepared.values:
            errors += literal_errors(self._core, prepared.document, prepared.values, asked.variables)
        if errors:
            for each in called:
                await context.gateway.admit(each, context.actor, context.client)
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


def _refusal(problem: Problem, typed: bool, status: int) -> Answer:
    return Answer({"errors": [error_json(problem)]}, typed, status, problem.headers())
