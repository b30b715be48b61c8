"""The GraphQL face's endpoint: one path for GraphQL over HTTP, over server-sent events and over WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import strawberry
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.documents.references import has_reference
from graphql_schema.documents.requests import GraphQLRequest, GraphQLResponse, RequestContext
from graphql_schema.execution.compiled import CompiledOperations
from graphql_schema.execution.executor import Executor
from graphql_schema.execution.idempotency import asked_by_batch, has_key
from graphql_schema.execution.paying import with_cost
from graphql_schema.execution.running import ExecutionResult
from graphql_schema.published.published import PublishedDocuments
from graphql_schema.schema.errors import InvalidDocumentError, error_json
from graphql_schema.transport.http import Batch, HTTPRequestContext, encode_response, read_request
from graphql_schema.transport.negotiation import JSON, Form, form_of
from graphql_schema.transport.origins import check_not_forged
from graphql_schema.transport.sse import EventStream
from graphql_schema.transport.transports import Transports
from graphql_schema.transport.uploads import check_form, is_form, read_form
from graphql_schema.transport.websocket import GraphQLSocket
from services.catalogue import Catalogue, Problem
from services.catalogue.problems import (
    BAD_REQUEST,
    DEADLINE_EXCEEDED,
    INVALID_TOKEN,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    QUOTA_EXCEEDED,
    TOO_MANY_REQUESTS,
)
from services.documents.known import DocumentResolver
from services.engine.payment import OverdrawnError, PricedError
from services.files.uploading import CREATE
from services.files.uploads import InterruptedUploadError
from services.queries.limits import Limits

_BY_HTTP = (
    BAD_REQUEST, DEADLINE_EXCEEDED, INVALID_TOKEN, METHOD_NOT_ALLOWED, QUOTA_EXCEEDED, TOO_MANY_REQUESTS,
)  # fmt: skip
"""The problems whose HTTP status is sent whatever the client accepts, because proxies and retries depend on it."""


class GraphQLEndpoint:
    """An ASGI application that reads requests, passes them to the Executor and sends the answers.

    `page` answers a browser's GET with GraphiQL, and returns None for any other request. `plans` and `plan_on_sight`
    are those of CompiledOperations; `tell_cost` adds the cost to every answer.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        catalogue: Catalogue,
        *,
        suggestions: bool,
        plans: int,
        plan_on_sight: int,
        page: Callable[[Request], Awaitable[Response | None]],
        transports: Transports,
        limits: Limits,
        tell_cost: bool = False,
    ) -> None:
        self._page, self._transports, self._tell_cost = page, transports, tell_cost
        self._uploads = transports.uploads and CREATE in catalogue.operations
        core = schema._schema  # noqa: SLF001 - Strawberry has no public way to graphql-core's schema
        self._documents = DocumentCache(core, suggestions=suggestions, limits=limits)
        compiled = CompiledOperations(core, catalogue, self._documents, size=plans, sight=plan_on_sight, limits=limits)
        self._executor = Executor(core, catalogue, self._documents, compiled, limits)
        self.published = PublishedDocuments(core, catalogue, self._documents, partial(self.answer, typed=True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET, HEAD and POST, and WebSockets."""
        if scope["type"] == "websocket":
            await GraphQLSocket(scope, receive, send, self._result, self._transports).serve()
            return
        if scope["method"] != "POST":
            request = Request(scope, receive)
            page = None if has_reference(request.query_params) else await self._page(request)
            if page is not None:
                await page(scope, receive, send)
                return
        request_context = HTTPRequestContext.of(scope)
        answer = await self._answer(request_context, receive, send)
        if answer is not None:
            raw, body = encode_response(answer)
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(
        self, request_context: HTTPRequestContext, receive: Receive, send: Send
    ) -> GraphQLResponse | None:
        """Return the answer to a request, or None if it has been sent as events."""
        form = form_of(request_context.headers.get(b"accept"))
        typed = form is Form.TYPED
        try:
            if form is None:
                forms = ", ".join(each.value for each in Form)
                raise Problem(NOT_ACCEPTABLE, f"Answers are one of {forms}.")
            if request_context.headers.get(b"content-type") != JSON:
                check_not_forged(request_context.headers, self._transports.origins)
                if request_context.is_post and is_form(request_context.headers):
                    check_form(request_context.headers, form, allowed=self._uploads)
                    return await self._answer_form(request_context, receive, typed)
            request = await read_request(
                request_context, receive, batch=0 if form is Form.EVENTS else self._transports.batch
            )
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status)
        if not isinstance(request, GraphQLRequest):
            return await self._answer_batch(request_context, request, typed)
        if form is Form.EVENTS:
            return await self._stream(request_context, request, receive, send)
        return await self.answer(request_context, request, typed=typed)

    async def _answer_form(self, request_context: HTTPRequestContext, receive: Receive, typed: bool) -> GraphQLResponse:
        """Run the mutation of a form, which reads the file while it arrives. Raises the Problems of the form."""
        request, file = await read_form(request_context, receive)
        answer = await self.answer(request_context, request, typed=typed)
        if isinstance(file.fault, InterruptedUploadError):
            raise ClientDisconnect
        if file.fault is not None:
            raise file.fault
        return answer

    async def answer(self, request_context: RequestContext, asked: GraphQLRequest, *, typed: bool) -> GraphQLResponse:
        """Run a request. `typed` says whether to answer with application/graphql-response+json."""
        asked.wants_cost |= self._tell_cost
        answer = await self._answer_to(request_context, asked, typed)
        return with_cost(answer, request_context.payment) if asked.wants_cost else answer

    async def _answer_to(self, origin: RequestContext, request: GraphQLRequest, typed: bool) -> GraphQLResponse:
        try:
            outcome = await self._executor.execute(origin, request)
        except PricedError as priced:
            # A response without errors must have `data` (specification, 7.1).
            return GraphQLResponse({"data": {}, "extensions": priced.payment.told()}, typed, 200)
        except OverdrawnError as error:
            return _refusal(error.problem, typed, error.problem.type.status)
        except InvalidDocumentError as refused:
            return GraphQLResponse({"errors": refused.errors}, typed, refused.status if typed else 200)
        except Problem as problem:
            return _refusal(problem, typed, problem.type.status if typed or _is_of_http(problem) else 200)
        return GraphQLResponse(outcome.body, typed, 200, outcome.headers)

    async def _answer_batch(self, request_context: HTTPRequestContext, batch: Batch, typed: bool) -> GraphQLResponse:
        """Run the requests of a batch in order, so that each sees the changes of those before it."""
        answers: list[GraphQLResponse] = []
        digest = (
            await asked_by_batch(batch, request_context.gateway.part(DocumentResolver))
            if has_key(request_context.headers)
            else b""
        )
        for place, request in enumerate(batch):
            if isinstance(request, Problem):
                answers.append(_refusal(request, typed, 200))
            else:
                answers.append(
                    await self.answer(replace(request_context, place=place, batch=digest), request, typed=typed)
                )
        # A header field, such as that the answer was replayed, must be true of every request in the batch.
        first, *others = answers
        common = {
            name: value
            for name, value in first.headers.items()
            if all(answer.headers.get(name) == value for answer in others)
        }
        contents: list[Any] = [answer.content for answer in answers]
        return GraphQLResponse(contents, typed, 200, common)

    async def _stream(
        self, request_context: HTTPRequestContext, request: GraphQLRequest, receive: Receive, send: Send
    ) -> GraphQLResponse | None:
        """Answer with events, or return the answer for a Problem that has an HTTP status."""
        try:
            result = self._result(request_context, request)
            await EventStream(request_context, send, _is_of_http).serve(result, receive)
        except Problem as problem:
            return _refusal(problem, False, problem.type.status)
        return None

    async def _result(self, request_context: HTTPRequestContext, asked: GraphQLRequest) -> ExecutionResult:
        """Run a request, for server-sent events and WebSockets. Raises InvalidDocumentError and Problems."""
        asked.wants_cost |= self._tell_cost
        try:
            outcome = await self._executor.execute(request_context, asked)
        except PricedError as priced:
            outcome = ExecutionResult({"data": {}})
            asked.wants_cost, request_context.payment = True, priced.payment
        except OverdrawnError as error:
            raise error.problem from None
        if asked.wants_cost and request_context.payment is not None:
            outcome.body["extensions"] = {**outcome.body.get("extensions", {}), **request_context.payment.told()}
        return outcome


def _is_of_http(problem: Problem) -> bool:
    return problem.type in _BY_HTTP


def _refusal(problem: Problem, typed: bool, status: int) -> GraphQLResponse:
    return GraphQLResponse({"errors": [error_json(problem)]}, typed, status, problem.headers())
