"""The GraphQL face's endpoint: one path for GraphQL over HTTP, over server-sent events and over WebSockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any

from graphql import DocumentNode, OperationDefinitionNode, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_schema.compiled import CompiledOperation, CompiledOperations
from graphql_schema.complexity import check_complexity
from graphql_schema.context import Context
from graphql_schema.costs import Prices
from graphql_schema.deprecation import DeprecatedUses
from graphql_schema.documents import Documents, Prepared
from graphql_schema.errors import RefusedError, error_json, problem_of
from graphql_schema.http import Answer, Asking, Batch, GraphQLRequest, read_request
from graphql_schema.idempotency import asked_by_batch, has_key, may_have_key
from graphql_schema.negotiation import JSON, Form, form_of
from graphql_schema.origins import check_not_forged
from graphql_schema.paying import check_allowed, dry_answer, till_of, with_cost
from graphql_schema.published import PublishedDocuments
from graphql_schema.references import Origin, found_document, names_a_document, slot_of
from graphql_schema.running import Caller, Outcome
from graphql_schema.schema import GatewaySchema
from graphql_schema.sse import EventStream
from graphql_schema.transports import Transports
from graphql_schema.uploads import check_form, is_form, sent_file
from graphql_schema.values import called_operations, input_problem, literal_errors, variable_errors
from graphql_schema.websocket import GraphQLSocket
from services import observation
from services.auth.authentication import Authenticator
from services.budget.till import OverdrawnError, PricedError
from services.catalogue import ANONYMOUS, Actor, Catalogue, Operation, Problem
from services.catalogue.limits import Limits
from services.catalogue.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    INVALID_TOKEN,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    QUOTA_EXCEEDED,
    TOO_MANY_REQUESTS,
    VALIDATION_FAILED,
)
from services.documents.known import KnownDocuments
from services.uploading import COMPLETE, forget_sent

_BY_HTTP = (
    BAD_REQUEST, DEADLINE_EXCEEDED, INVALID_TOKEN, METHOD_NOT_ALLOWED, QUOTA_EXCEEDED, TOO_MANY_REQUESTS,
)  # fmt: skip
"""What is refused by HTTP too, whatever the client accepts: a credential that is worth nothing, say.

And a budget that is used up: what waits and tries again (proxies, clients' retries) looks at the status.
"""


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
        transports: Transports,
        limits: Limits,
        tell_cost: bool = False,
    ) -> None:
        self._schema, self._catalogue, self._page, self._transports = schema, catalogue, page, transports
        self._limits = limits
        self._core = schema._schema  # noqa: SLF001 - validation is graphql-core's, and Strawberry has no other way to it
        self._documents = Documents(self._core, suggestions=suggestions, limits=limits)
        self._deprecated = DeprecatedUses(self._core, catalogue, self._documents)
        self._prices, self._tell_cost = Prices(self._core, catalogue, limits), tell_cost
        self._compiled = CompiledOperations(
            self._core, catalogue, self._documents, size=plans, sight=plan_on_sight, limits=limits
        )
        self.published = PublishedDocuments(self._core, catalogue, self._documents, self.answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET, HEAD and POST, and WebSockets."""
        if scope["type"] == "websocket":
            await GraphQLSocket(scope, receive, send, self.results, self._transports).serve()
            return
        if scope["method"] != "POST":
            request = Request(scope, receive)
            shown = self._page(request) if not names_a_document(request.query_params) else None
            if shown is not None:
                await shown(scope, receive, send)
                return
        asking = Asking.of(scope)
        answer = await self._answer(asking, receive, send)
        if answer is not None:
            raw, body = answer.encoded()
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, asking: Asking, receive: Receive, send: Send) -> Answer | None:
        """The answer to a request; None where it has been sent, as events."""
        form = form_of(asking.headers.get(b"accept"))
        typed = form is Form.TYPED
        try:
            if form is None:
                forms = ", ".join(each.value for each in Form)
                raise Problem(NOT_ACCEPTABLE, f"Answers are one of {forms}.")
            if asking.headers.get(b"content-type") != JSON:
                check_not_forged(asking.headers, self._transports.origins)
                if asking.is_post and is_form(asking.headers):
                    allowed = self._transports.uploads and COMPLETE in self._catalogue.operations
                    check_form(asking.headers, form, allowed=allowed)
                    return await self._answer_form(asking, receive, typed)
            asked = await read_request(asking, receive, batch=0 if form is Form.EVENTS else self._transports.batch)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status)
        if not isinstance(asked, GraphQLRequest):
            return await self._answer_all(asking, asked, typed)
        if form is Form.EVENTS:
            return await self._stream(asking, asked, receive, send)
        return await self.answer(asking, asked, typed=typed)

    async def _answer_form(self, asking: Asking, receive: Receive, typed: bool) -> Answer:
        """Take in the file of a form, and run the mutation that completes it. Raises Problems of the form."""
        try:
            asked, key = await sent_file(asking, receive, self._documents)
        except RefusedError as refused:
            return Answer({"errors": refused.errors}, typed, refused.status if typed else 200)
        except OverdrawnError as error:
            raise error.problem from None
        try:
            return await self.answer(asking, asked, typed=typed)
        finally:
            await forget_sent(asking.gateway, key)

    async def answer(self, asking: Origin, asked: GraphQLRequest, *, typed: bool) -> Answer:
        """Run what is asked for, by whom `asking` says. `typed`: as application/graphql-response+json."""
        asked.wants_cost |= self._tell_cost
        answer = await self._answer_to(asking, asked, typed)
        return with_cost(answer, asking.till) if asked.wants_cost else answer

    async def _answer_to(self, asking: Origin, asked: GraphQLRequest, typed: bool) -> Answer:
        try:
            outcome = await self.execute(asking, asked)
        except PricedError as found:
            return dry_answer(found.till, typed)
        except OverdrawnError as error:
            return _refusal(error.problem, typed, error.problem.type.status)
        except RefusedError as refused:
            return Answer({"errors": refused.errors}, typed, refused.status if typed else 200)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status if typed or _is_of_http(problem) else 200)
        return Answer(outcome.body, typed, 200, outcome.headers)

    async def _answer_all(self, asking: Asking, batch: Batch, typed: bool) -> Answer:
        """The answers to a batch, one after the other: what one has done, the next one sees."""
        contents: list[Any] = []
        headers: list[dict[str, str]] = []
        asked = await asked_by_batch(batch, asking.gateway.part(KnownDocuments)) if has_key(asking.headers) else b""
        for place, each in enumerate(batch):
            if isinstance(each, Problem):
                answer = _refusal(each, typed, 200)
            else:
                answer = await self.answer(replace(asking, place=place, batch=asked), each, typed=typed)
            contents.append(answer.content)
            headers.append(dict(answer.headers))
        # What is said of the whole, such as that it was replayed, is true of each.
        first, *rest = headers or [{}]
        common = {name: value for name, value in first.items() if all(each.get(name) == value for each in rest)}
        return Answer(contents, typed, 200, common)

    async def _stream(self, asking: Asking, asked: GraphQLRequest, receive: Receive, send: Send) -> Answer | None:
        """Answer with events. What HTTP itself refuses is answered without."""
        try:
            await EventStream(asking, self.results(asking, asked), send, _is_of_http).serve(receive)
        except Problem as problem:
            return _refusal(problem, False, problem.type.status)
        return None

    async def results(self, asking: Asking, asked: GraphQLRequest) -> AsyncGenerator[Outcome]:
        """What comes of a request, for transports that can take several results: those of a subscription, one by one.

        Raises RefusedError and Problems, before the first.
        """
        asked.wants_cost |= self._tell_cost
        try:
            outcome = await self.execute(asking, asked)
        except PricedError as found:
            outcome = Outcome({"data": {}})
            asked.wants_cost, asking.till = True, found.till
        except OverdrawnError as error:
            raise error.problem from None
        if asked.wants_cost and asking.till is not None:
            outcome.body["extensions"] = {**outcome.body.get("extensions", {}), **asking.till.told()}
        yield outcome

    async def execute(self, asking: Origin, asked: GraphQLRequest) -> Outcome:
        """The one result of a query or a mutation.

        Raises RefusedError, Problems of the whole request, and as `Till.pay`.
        """
        await found_document(asking, asked, self._documents)
        outcome = await self._run_compiled(asking, asked)
        if outcome is None:
            observation.note_path("general")
            context = await self._context(asking, asked)
            with slot_of(asking, context.actor):
                outcome = await self._run(asked, context)
        if self._deprecated:
            self._deprecated.note(asked.query, asked.operation_name, asked.variables)
        return outcome

    async def _run_compiled(self, asking: Origin, asked: GraphQLRequest) -> Outcome | None:
        """What a compiled operation answers; None for what goes down the general path. Raises `invalid_token`."""
        gateway, keyed = asking.gateway, asking.is_post and may_have_key(asking.headers, asked.query)
        # A dry run ends on the general path, which judges without doing anything.
        if asked.dry or (gateway.reader is None and not keyed):
            return None
        operation = self._compiled.find(asked.query, asked.operation_name)
        at_once = operation is None and self._compiled.wants(asked.query, asked.operation_name)
        if at_once:
            operation = self._compile(asked)
        if operation is None and keyed:
            # Whether or not it has been seen before: with a key there is no other way.
            operation = self._compile(asked, once=True)
        if operation is None or not (gateway.reader is not None if operation.is_query else asking.is_post):
            return None
        open_to_all = operation.open_to_all

        async def authenticate() -> Actor:
            return ANONYMOUS if open_to_all else await gateway.part(Authenticator).actor(asking.presented)

        key = asking.idempotency_key if keyed and not operation.is_query else None
        actor = await authenticate()
        caller = Caller(actor, asking.client, authenticate, key, till_of(asking, asked, actor))
        asking.changing = not operation.is_query
        with slot_of(asking, actor):
            return await self._compiled.run(operation, gateway, caller, asked.variables, at_once=at_once)

    def _compile(self, asked: GraphQLRequest, *, once: bool = False) -> CompiledOperation | None:
        """The operation of a valid document; `once`: of a mutation, without remembering it."""
        prepared = self._documents.prepare(asked.query)
        if prepared.structure or prepared.values or prepared.document is None:
            return None
        operation = prepared.operation(asked.operation_name)
        if once and operation.operation is not OperationType.MUTATION:
            return None
        called = called_operations(self._catalogue, operation)
        make = self._compiled.compile_once if once else self._compiled.compile
        return make(asked.query, asked.operation_name, prepared.document, operation, called)

    async def _context(self, asking: Origin, asked: GraphQLRequest) -> Context:
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

        key = asking.idempotency_key if operation.operation is OperationType.MUTATION else None
        context = Context(gateway, actor, asking.client, document, authenticate, key)
        await self._check_values(context, called, prepared, operation, asked)
        check_complexity(self._core, document, operation, asked.variables, self._limits)
        till = till_of(asking, asked, actor)
        if till is not None:
            priced = self._prices.price(document, operation, asked.variables)
            if till.dry:
                check_allowed(priced, actor, gateway, whole=asked.whole)
                problem = input_problem(self._catalogue, priced.fields, asked.variables, self._limits)
                if problem is not None:
                    raise problem
                self._compiled.check_inputs(document, operation, asked.variables, gateway)
            if priced.cost or till.dry:
                await till.pay(priced.cost)
        asking.changing = operation.operation is not OperationType.QUERY
        return context

    async def _run(self, asked: GraphQLRequest, context: Context) -> Outcome:
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
        return Outcome(body, headers)

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
            fields = operation.selection_set.selections
            judged = input_problem(self._catalogue, fields, asked.variables, self._limits)
            raise judged if judged is not None and judged.errors else Problem(VALIDATION_FAILED, errors=errors)


def _is_of_http(problem: Problem) -> bool:
    return problem.type in _BY_HTTP


def _runnable(prepared: Prepared, asked: GraphQLRequest) -> tuple[DocumentNode, OperationDefinitionNode]:
    if prepared.structure or prepared.document is None:
        raise RefusedError(prepared.structure)
    return prepared.document, prepared.operation(asked.operation_name)


def _refusal(problem: Problem, typed: bool, status: int) -> Answer:
    return Answer({"errors": [error_json(problem)]}, typed, status, problem.headers())
