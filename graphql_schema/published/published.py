"""Publishes trusted documents on REST: describes them, runs them, and translates their errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    print_ast,
    type_from_ast,
)

from graphql_schema.documents.operation_inputs import called_operations, is_open_to_all
from graphql_schema.documents.parsing import DocumentCache
from graphql_schema.documents.requests import GraphQLRequest, GraphQLResponse, RequestContext, exceeds_depth
from graphql_schema.documents.values import value_errors, variable_places
from graphql_schema.schema.context import RequestKey
from graphql_schema.schema.errors import document_problem, field_path
from graphql_schema.schema.fields import operations_of
from graphql_schema.schema.json_schema import answer_schema, json_value, leaf_schema
from services.catalogue import ANONYMOUS, Catalogue, Client, Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_DOCUMENT, VALIDATION_FAILED
from services.documents.publishing import (
    DocumentCaller,
    Parameter,
    ParameterKind,
    PublishedDocument,
    RunResult,
    UnpublishableDocumentError,
)
from services.engine.payment import Payment
from services.identity.auth.authentication import Authenticator

REMEMBERED: Final = 200
"""The number of descriptions that are remembered."""
_KINDS = {"Int": ParameterKind.INTEGER, "Float": ParameterKind.NUMBER, "Boolean": ParameterKind.BOOLEAN}


@dataclass(slots=True)
class _RestOrigin:
    """The Origin of a request for a published document, which is never a write: only queries can be published."""

    gateway: Any
    presented: Any
    client: Client
    address: str
    is_post: bool = False
    changing: bool = False
    is_preflighted: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    idempotency_key: RequestKey | None = None
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class PublishedDocuments:
    """Describes and runs documents; implements `services.documents.publishing.DocumentRunner`.

    `answer` runs a request as the endpoint does. It may be None if documents are only described.
    """

    schema: GraphQLSchema
    catalogue: Catalogue
    documents: DocumentCache
    answer: Callable[[RequestContext, GraphQLRequest], Awaitable[GraphQLResponse]] | None = None
    _described: LRUCache[str, PublishedDocument] = field(init=False, default_factory=lambda: LRUCache(REMEMBERED))

    def describe(self, text: str) -> PublishedDocument:
        """Return the description of a document. Raises UnpublishableDocumentError if it cannot be published."""
        description = self._described.get(text)
        if description is None:
            description = self._described[text] = self.description(text)
        return description

    def description(self, text: str) -> PublishedDocument:
        """Return the description of a document's text, as `describe` does, without remembering it."""
        prepared = self.documents.prepare(text)
        if prepared.errors or prepared.document is None:
            raise UnpublishableDocumentError(*(document_problem(error).detail for error in prepared.errors))
        operation, *others = operations_of(prepared.document)
        if others or operation.name is None or operation.operation is not OperationType.QUERY:
            raise UnpublishableDocumentError(
                "Only a document with one operation, a query that has a name, can be published."
            )
        parameters = [self._parameter(variable) for variable in operation.variable_definitions or ()]
        errors = [each for each in parameters if isinstance(each, str)]
        if errors:
            raise UnpublishableDocumentError(*errors)
        called, name = called_operations(self.catalogue, operation), operation.name.value
        scopes = sorted({called_operation.scope for called_operation in called if called_operation.scope})
        return PublishedDocument(
            name,
            operation.description.value if operation.description else f"The GraphQL document `{name}`, as registered.",
            [each for each in parameters if isinstance(each, Parameter)],
            None if is_open_to_all(called, operation) else scopes,
            answer_schema(self.schema, prepared.document, operation),
        )

    async def run(self, text: str, variables: Mapping[str, Any], caller: DocumentCaller) -> RunResult:
        """Run a document as the endpoint does. An error in any field replaces the whole response.

        Raises `validation_failed` naming the invalid variable, `bad_request`, and the Problems of authentication.
        """
        assert self.answer is not None
        prepared = self.documents.prepare(text)
        if prepared.errors or prepared.document is None:
            raise Problem(INVALID_DOCUMENT, "The document does not fit the schema any more.")
        limits = caller.gateway.limits
        if exceeds_depth(variables, limits.GRAPHQL_MAX_VARIABLES_DEPTH):
            raise Problem(BAD_REQUEST, f"A parameter may nest at most {limits.GRAPHQL_MAX_VARIABLES_DEPTH} deep.")
        operation = prepared.operation(None)
        errors = value_errors(self.schema, operation, variables, limits, {})
        if errors:
            await self._admit(operation, caller)
            raise Problem(VALIDATION_FAILED, errors=errors)
        request = GraphQLRequest(text, variables, None, dry=caller.dry, whole=True)
        origin = _RestOrigin(caller.gateway, caller.presented, caller.client, caller.client.address)
        answer = await self.answer(origin, request)
        content = answer.content
        assert isinstance(content, Mapping)
        failures = content.get("errors")
        if not failures:
            return RunResult(content["extensions" if caller.dry else "data"], None, answer.headers)
        return RunResult(None, _problem(failures, prepared.document), answer.headers)

    async def _admit(self, operation: OperationDefinitionNode, caller: DocumentCaller) -> None:
        """Admit the caller before errors in the variables are reported. Raises as `Gateway.admit`."""
        called, actor = called_operations(self.catalogue, operation), ANONYMOUS
        if not is_open_to_all(called, operation):
            actor = await caller.gateway.part(Authenticator).actor(caller.presented)
        for called_operation in called:
            await caller.gateway.admit(called_operation, actor, caller.client)

    def _parameter(self, definition: VariableDefinitionNode) -> Parameter | str:
        """Return a variable as a parameter, or a sentence that says why it cannot be one."""
        name, written = definition.variable.name.value, print_ast(definition.type)
        kind: Any = type_from_ast(self.schema, definition.type)
        required = is_non_null_type(kind) and definition.default_value is None
        inner = get_nullable_type(kind)
        many = is_list_type(inner)
        named = get_nullable_type(inner.of_type) if many else inner
        if is_list_type(named):
            return f"${name}: {written}: a list of lists cannot be written as query parameters."
        schema: Mapping[str, Any] | None
        if is_input_object_type(named):
            form, schema = ParameterKind.JSON, {"type": "object"}
        else:
            form, schema = _KINDS.get(named.name, ParameterKind.TEXT), leaf_schema(named)
        if schema is None:
            return f"${name}: {written}: a {named.name} cannot be written as a query parameter."
        default = json_value(definition.default_value, kind) if definition.default_value is not None else None
        if isinstance(default, list) and None in default:
            default = None  # which a query parameter cannot express
        return Parameter(name, form, written, schema, many, required, default)


def _problem(errors: Iterable[Mapping[str, Any]], document: DocumentNode) -> Mapping[str, Any]:
    """Return the members of the first server error, or else of the first error, with its field errors at variables."""
    error = min(errors, key=lambda entry: entry["extensions"]["status"] < 500)
    members: dict[str, Any] = dict(error["extensions"])
    if "path" in error:
        members["path"] = error["path"]
    if "errors" in members:
        variables = {field_path(path): names for path, names in variable_places(document).items()}
        members["errors"] = [
            {**field_error, "field": _variable_path(field_error["field"], variables)}
            for field_error in members["errors"]
        ]
    return members


def _variable_path(field: str, variables: Mapping[str, set[str]]) -> str:
    """Return an argument's path as that of its variable, or unchanged if it has none or several.

    `variables` are the names of the variables by the paths of the arguments that they are used in.
    """
    path = field
    while path:
        if path in variables:
            names = variables[path]
            return next(iter(names)) + field[len(path) :] if len(names) == 1 else field
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    # An error about a missing variable is reported above the path at which the variable is used.
    prefixes = (f"{field}.", f"{field}[")
    below = {name for path, names in variables.items() if path.startswith(prefixes) for name in names}
    return below.pop() if len(below) == 1 else field
