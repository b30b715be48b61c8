"""One request executed: its document found, its actor told, its values judged, its price paid, its operation run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any

from graphql import GraphQLSchema, OperationDefinitionNode, OperationType, execute

from graphql_schema.documents.complexity import bound_of
from graphql_schema.documents.deprecation import DeprecatedUses
from graphql_schema.documents.operation_inputs import called_operations, input_problem, is_open_to_all
from graphql_schema.documents.parsing import DocumentCache, ParsedDocument
from graphql_schema.documents.references import resolve_document
from graphql_schema.documents.requests import GraphQLRequest, RequestContext
from graphql_schema.documents.values import literal_errors, variable_errors
from graphql_schema.execution.compiled import CompiledOperation, CompiledOperations
from graphql_schema.execution.idempotency import ARGUMENT, has_key
from graphql_schema.execution.paying import check_dry_run, payment_of
from graphql_schema.execution.plans import check_inputs
from graphql_schema.execution.running import ExecutionCaller, ExecutionResult
from graphql_schema.schema.context import Context
from graphql_schema.schema.errors import InvalidDocumentError, error_json, problem_from_error
from graphql_schema.schema.upload_field import check_takes_file
from services.catalogue import ANONYMOUS, Actor, Catalogue, Operation, Problem
from services.catalogue.problems import METHOD_NOT_ALLOWED, VALIDATION_FAILED
from services.identity.auth.authentication import Authenticator
from services.process import observation
from services.process.concurrency import Concurrency
from services.queries.costs import check_rows
from services.queries.limits import Limits


class Executor:
    """Executes what is asked for, whatever it came by: compiled where it can be, otherwise by the resolvers."""

    def __init__(
        self, core: GraphQLSchema, catalogue: Catalogue, documents: DocumentCache, compiled: CompiledOperations,
        limits: Limits,
    ) -> None:  # fmt: skip
        self._core, self._catalogue = core, catalogue
        self._documents, self._compiled, self._limits = documents, compiled, limits
        self._deprecated = DeprecatedUses(core, catalogue, documents)

    async def execute(self, request_context: RequestContext, asked: GraphQLRequest) -> ExecutionResult:
        """The one result of a query or a mutation.

        Raises InvalidDocumentError, Problems of the whole request, and as `Payment.pay`.
        """
        await resolve_document(request_context, asked, self._documents)
        operation, at_once = self._compiled.find(asked.query, asked.operation_name)
        outcome = None
        if operation is not None and _goes_as_a_whole(request_context, asked, operation):
            outcome = await self._run_as_a_whole(request_context, asked, operation, at_once=at_once)
        if outcome is None:
            observation.note_path("general")
            context = await self._context(request_context, asked, operation)
            with context.gateway.part(Concurrency).slot(context.actor, request_context.address):
                outcome = await self._run(asked, context)
        if self._deprecated:
            self._deprecated.note(asked.query, asked.operation_name, asked.variables)
        return outcome

    async def _run_as_a_whole(
        self, request_context: RequestContext, asked: GraphQLRequest, operation: CompiledOperation, *, at_once: bool
    ) -> ExecutionResult | None:
        """The answer to a planned operation; None where the resolvers have to give it. Raises `invalid_token`."""
        authenticate = _authentication(request_context, open_to_all=operation.open_to_all)
        key = request_context.idempotency_key if not operation.is_query else None
        actor = await authenticate()
        payment = payment_of(request_context, asked, actor)
        caller = ExecutionCaller(actor, request_context.client, authenticate, key, payment)
        request_context.changing = not operation.is_query
        with request_context.gateway.part(Concurrency).slot(actor, request_context.address):
            return await self._compiled.run(
                operation, request_context.gateway, caller, asked.variables, at_once=at_once
            )

    async def _context(
        self, request_context: RequestContext, asked: GraphQLRequest, planned: CompiledOperation | None
    ) -> Context:
        """What the operation needs to run, once nothing is wrong with the request. Raises what is."""
        prepared = self._documents.prepare(asked.query)
        if prepared.structure or prepared.document is None:
            raise InvalidDocumentError(prepared.structure)
        operation = prepared.operation(asked.operation_name)
        if not request_context.is_post and operation.operation is not OperationType.QUERY:
            raise Problem(METHOD_NOT_ALLOWED, "GET is for queries; send mutations by POST.", allow="POST")
        if asked.has_file:
            check_takes_file(operation)
        called = called_operations(self._catalogue, operation)
        authenticate = _authentication(request_context, open_to_all=is_open_to_all(called, operation))
        actor = await authenticate()
        key = request_context.idempotency_key if operation.operation is OperationType.MUTATION else None
        context = Context(request_context.gateway, actor, request_context.client, prepared.document, authenticate, key)
        await self._check_values(context, called, prepared, operation, asked)
        await self._pay(request_context, asked, context, operation, planned)
        request_context.changing = operation.operation is not OperationType.QUERY
        return context

    async def _pay(
        self, request_context: RequestContext, asked: GraphQLRequest, context: Context,
        operation: OperationDefinitionNode, compiled: CompiledOperation | None,
    ) -> None:  # fmt: skip
        """Judge what is asked for, and have it paid; here a dry run ends. Raises what is wrong with it."""
        gateway, actor, given = context.gateway, context.actor, asked.variables
        plan, variables = (
            self._compiled.planned(compiled, gateway, actor, given) if compiled is not None else (None, {})
        )
        if plan is not None:
            judged = plan.judge(variables, self._limits)
            check_rows(judged.rows, self._limits.MAX_ROWS)
        else:
            judged = bound_of(self._core, self._catalogue, context.document, operation, given, self._limits)
        payment = payment_of(request_context, asked, actor)
        if payment is None:
            return
        if payment.dry:
            await check_dry_run(context, asked, operation, judged.related)
            if plan is not None:
                check_inputs(plan, variables, gateway.cursors)
        if judged.points or payment.dry:
            await payment.pay(judged.points)

    async def _run(self, asked: GraphQLRequest, context: Context) -> ExecutionResult:
        result: Any = execute(
            self._core, context.document, context_value=context, variable_values=dict(asked.variables),
            operation_name=asked.operation_name, hide_suggestions=True,
        )  # fmt: skip
        if isawaitable(result):
            result = await result
        if not result.errors:
            return ExecutionResult({"data": result.data})
        problems = [(problem_from_error(error), error) for error in result.errors]
        errors = [error_json(problem, error.formatted) for problem, error in problems]
        headers = {name: value for problem, _ in problems for name, value in problem.headers().items()}
        return ExecutionResult({"data": result.data, "errors": errors}, headers)

    async def _check_values(
        self, context: Context, called: Sequence[Operation], prepared: ParsedDocument,
        operation: OperationDefinitionNode, asked: GraphQLRequest,
    ) -> None:  # fmt: skip
        """Raises `validation_failed` for values of the wrong type, in the document or in the variables.

        Who may not call an operation is told that instead, as on the other face.
        """
        errors = variable_errors(self._core, context.document, operation, asked.variables, self._limits)
        if prepared.values:
            errors += literal_errors(self._core, context.document, prepared.values, asked.variables)
        if errors:
            for each in called:
                await context.gateway.admit(each, context.actor, context.client)
            fields = operation.selection_set.selections
            judged = input_problem(self._catalogue, fields, asked.variables, self._limits)
            raise judged if judged is not None and judged.errors else Problem(VALIDATION_FAILED, errors=errors)


def _authentication(request_context: RequestContext, *, open_to_all: bool) -> Callable[[], Awaitable[Actor]]:
    async def authenticate() -> Actor:
        if open_to_all:
            return ANONYMOUS
        return await request_context.gateway.part(Authenticator).actor(request_context.presented)

    return authenticate


def _goes_as_a_whole(request_context: RequestContext, asked: GraphQLRequest, operation: CompiledOperation) -> bool:
    """Whether resolvers are not even needed, unless there is a doubt.

    They judge dry runs, without doing anything, and serve what plans do not know; where nothing is compiled they are
    what the compiled path is compared with. With an idempotency key there is no other way than this.
    """
    if asked.dry or asked.has_file:
        return False
    compiles = request_context.gateway.reader is not None
    if operation.is_query:
        return compiles
    return request_context.is_post and (compiles or has_key(request_context.headers) or ARGUMENT in asked.query)
