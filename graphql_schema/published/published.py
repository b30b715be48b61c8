"""Trusted documents as the REST face has them: described, run, and their failures told in the caller's words."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableDefinitionNode,
    get_named_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    print_ast,
    type_from_ast,
)

from graphql_schema.documents.parsing import Documents
from graphql_schema.documents.requests import Answer, GraphQLRequest, Origin, is_deep
from graphql_schema.documents.values import called_operations, named_errors, variable_places
from graphql_schema.schema.context import RequestKey
from graphql_schema.schema.errors import document_problem, field_path
from graphql_schema.schema.json_schema import answer_schema, json_value, leaf_schema
from services.catalogue import Catalogue, Problem
from services.catalogue.problems import BAD_REQUEST, INVALID_DOCUMENT, VALIDATION_FAILED
from services.documents.publishing import (
    DocumentCaller,
    Parameter,
    ParameterKind,
    PublishedDocument,
    Ran,
    UnfitDocumentError,
)
from services.documents.trusted import Trusted
from services.engine.authorization import authorize
from services.engine.payment import Till
from services.identity.auth.authentication import Authenticator

REMEMBERED: Final = 200
"""Descriptions of documents."""
_KINDS: Mapping[str, ParameterKind] = {
    "Int": ParameterKind.INTEGER, "Float": ParameterKind.NUMBER, "Boolean": ParameterKind.BOOLEAN,
}  # fmt: skip


class Answering(Protocol):
    """Runs a request; see GraphQLEndpoint."""

    def __call__(self, asking: Origin, asked: GraphQLRequest, *, typed: bool) -> Awaitable[Answer]:
        """The answer, as GraphQL over HTTP has it."""
        ...


@dataclass(slots=True)
class _Direct:
    """A request that did not come by GraphQL over HTTP. What is published is read."""

    caller: DocumentCaller
    is_post: bool = False
    changing: bool = False
    is_preflighted: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    idempotency_key: RequestKey | None = None
    till: Till | None = None

    @property
    def address(self) -> str:
        """The network address that it comes from."""
        return self.caller.client.address

    @property
    def gateway(self) -> Any:
        return self.caller.gateway

    @property
    def presented(self) -> Any:
        return self.caller.presented

    @property
    def client(self) -> Any:
        return self.caller.client


@dataclass(frozen=True, slots=True)
class PublishedDocuments:
    """Describes and runs documents: what `services.documents.publishing.DocumentRunner` asks for.

    `answer` runs a request as the endpoint would. Without it documents are only described.
    """

    schema: GraphQLSchema
    catalogue: Catalogue
    documents: Documents
    answer: Answering | None = None
    _described: LRUCache[str, PublishedDocument] = field(init=False, default_factory=lambda: LRUCache(REMEMBERED))

    def describe(self, document: Trusted) -> PublishedDocument:
        """What its callers need to know. Raises UnfitDocumentError when it cannot be published."""
        found = self._described.get(document.text)
        if found is None:
            found = self._described[document.text] = self.description(document.text)
        return found

    def description(self, text: str) -> PublishedDocument:
        """As `describe`, of a document's text."""
        prepared = self.documents.prepare(text)
        faults = (*prepared.structure, *prepared.values)
        if faults or prepared.document is None:
            raise UnfitDocumentError(*(document_problem(each).detail for each in faults))
        operation = _only_query(prepared.document)
        assert operation.name is not None
        faulty: list[str] = []
        parameters = []
        for each in operation.variable_definitions or ():
            found = self._parameter(each)
            if isinstance(found, Parameter):
                parameters.append(found)
            else:
                faulty.append(found)
        if faulty:
            raise UnfitDocumentError(*faulty)
        called = called_operations(self.catalogue, operation)
        is_open = len(called) == len(operation.selection_set.selections) and all(each.scope is None for each in called)
        words = getattr(operation, "description", None)
        return PublishedDocument(
            operation.name.value,
            words.value if words is not None else f"The GraphQL document `{operation.name.value}`, as registered.",
            parameters,
            None if is_open else sorted({each.scope for each in called if each.scope}),
            answer_schema(self.schema, prepared.document, operation),
        )

    async def run(self, document: Trusted, variables: Mapping[str, Any], caller: DocumentCaller) -> Ran:
        """Run it as the endpoint would; whatever goes wrong anywhere is the whole answer.

        Raises `validation_failed` naming the variable at fault, `bad_request`, and what authentication raises.
        """
        assert self.answer is not None
        prepared = self.documents.prepare(document.text)
        if prepared.structure or prepared.values or prepared.document is None:
            raise Problem(INVALID_DOCUMENT, "The document does not fit the schema any more.")
        limits = caller.gateway.limits
        if is_deep(variables, limits.variables_depth):
            raise Problem(BAD_REQUEST, f"A parameter may nest at most {limits.variables_depth} deep.")
        operation = prepared.operation(None)
        errors = named_errors(self.schema, operation, variables, limits)
        if errors:
            await self._admit(operation, caller)
            raise Problem(VALIDATION_FAILED, errors=errors)
        asked = GraphQLRequest(document.text, variables, None, dry=caller.dry, whole=True)
        answer = await self.answer(_Direct(caller), asked, typed=True)
        content = answer.content
        assert isinstance(content, Mapping)
        failed = content.get("errors")
        if not failed:
            return Ran(content["extensions" if caller.dry else "data"], None, answer.headers)
        return Ran(None, _problem(failed, prepared.document), answer.headers)

    async def _admit(self, operation: OperationDefinitionNode, caller: DocumentCaller) -> None:
        """Who may not call what is called is told that, whatever else is wrong. Raises as `authorize`."""
        called = called_operations(self.catalogue, operation)
        only = called if len(called) == len(operation.selection_set.selections) else ()
        actor = await caller.gateway.part(Authenticator).actor_for(only, caller.presented)
        for each in called:
            authorize(each, actor)

    def _parameter(self, definition: VariableDefinitionNode) -> Parameter | str:
        """A variable as a parameter, or a sentence that says why it cannot be one."""
        name, written = definition.variable.name.value, print_ast(definition.type)
        kind: Any = type_from_ast(self.schema, definition.type)
        required = is_non_null_type(kind) and definition.default_value is None
        inner = kind.of_type if is_non_null_type(kind) else kind
        many = is_list_type(inner)
        if many:
            inner = inner.of_type.of_type if is_non_null_type(inner.of_type) else inner.of_type
        if is_list_type(inner):
            return f"${name}: {written}: a list of lists cannot be written as query parameters."
        named = get_named_type(inner)
        if is_input_object_type(named):
            schema: Mapping[str, Any] | None = {"type": "object"}
        else:
            schema = leaf_schema(named)
        if schema is None:
            return f"${name}: {written}: a {named.name} cannot be written as a query parameter."
        form = ParameterKind.JSON if is_input_object_type(named) else _KINDS.get(named.name, ParameterKind.TEXT)
        return Parameter(name, form, written, schema, many, required, _default(definition, kind))


def _default(definition: VariableDefinitionNode, kind: Any) -> Any:
    """What a variable is if it is left out; None where that is nothing, or holds nulls, for which a list's parameter
    has no word."""
    if definition.default_value is None:
        return None
    found = json_value(definition.default_value, kind)
    return None if isinstance(found, list) and None in found else found


def _only_query(document: DocumentNode) -> OperationDefinitionNode:
    """The operation of a document that can be published. Raises UnfitDocumentError."""
    found = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(found) != 1 or found[0].name is None or found[0].operation is not OperationType.QUERY:
        raise UnfitDocumentError("Only a document with one operation, a query that has a name, can be published.")
    return found[0]


def _problem(failed: Iterable[Mapping[str, Any]], document: DocumentNode) -> Mapping[str, Any]:
    """The gravest of a document's problems: a fault of ours before one of the caller's, otherwise the first."""
    errors = sorted(failed, key=lambda each: each["extensions"]["status"] < 500)
    found: dict[str, Any] = dict(errors[0]["extensions"])
    if "path" in errors[0]:
        found["path"] = errors[0]["path"]
    if "errors" in found:
        names = {field_path(place): used for place, used in variable_places(document).items()}
        found["errors"] = [{**each, "field": _renamed(each["field"], names)} for each in found["errors"]]
    return found


def _renamed(field: str, names: Mapping[str, set[str]]) -> str:
    """An argument's path as that of the variable it was given by, or not given, where that is the only one."""
    place = field
    while place:
        if place in names:
            return next(iter(names[place])) + field[len(place) :] if len(names[place]) == 1 else field
        cut = max(place.rfind("."), place.rfind("["))
        place = place[:cut] if cut > 0 else ""
    # What is refused for a variable that was left out is above the place where it would be.
    below = {name for each, used in names.items() if each.startswith((f"{field}.", f"{field}[")) for name in used}
    return below.pop() if len(below) == 1 else field
