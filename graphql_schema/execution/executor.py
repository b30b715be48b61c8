"""One request executed: its document found, its actor told, its values judged, its price paid, its operation run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, OperationType

from graphql_schema.documents.complexity import check_complexity
from graphql_schema.documents.costs import Prices
from graphql_schema.documents.deprecation import DeprecatedUses
from graphql_schema.documents.operation_inputs import called_operations, input_problem
from graphql_schema.documents.parsing import Documents, Prepared
from graphql_schema.documents.references import found_document, slot_of
from graphql_schema.documents.requests import GraphQLRequest, Origin
from graphql_schema.documents.values import literal_errors, variable_errors
from graphql_schema.execution.compiled import CompiledOperation, CompiledOperations
from graphql_schema.execution.idempotency import may_have_key
from graphql_schema.execution.paying import check_allowed, till_of
from graphql_schema.execution.running import Caller, Outcome
from graphql_schema.schema.context import Context
from graphql_schema.schema.errors import RefusedError, error_json, problem_of
from graphql_schema.schema.schema import GatewaySchema
from graphql_schema.schema.upload_field import check_takes_file
from services.catalogue import ANONYMOUS, Actor, Catalogue, Operation, Problem
from services.catalogue.problems import (
    METHOD_NOT_ALLOWED,
    VALIDATION_FAILED,
)
from services.identity.auth.authentication import Authenticator
from services.process import observation
from services.queries.limits import Limits


class Executor:
    """Executes what is asked for, whatever it came by: compiled where it can be, otherwise by Strawberry."""

    def __init__(
        self,
        schema: GatewaySchema,
        core: GraphQLSchema,
        catalogue: Catalogue,
        documents: Documents,
        compiled: CompiledOperations,
        limits: Limits,
    ) -> None:
        self._schema, self._core, self._catalogue = schema, core, catalogue
        self._documents, self._compiled, self._limits = documents, compiled, limits
        self._deprecated = DeprecatedUses(core, catalogue, documents)
        self._prices = Prices(core, catalogue, limits)

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
        # A dry run ends on the general path, which judges without doing anything; so does what plans do not know.
        if asked.dry or asked.has_file or (gateway.reader is None and not keyed):
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
        if asked.has_file:
            check_takes_file(operation)
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


def _runnable(prepared: Prepared, asked: GraphQLRequest) -> tuple[DocumentNode, OperationDefinitionNode]:
    if prepared.structure or prepared.document is None:
        raise RefusedError(prepared.structure)
    return prepared.document, prepared.operation(asked.operation_name)
