"""The GraphQL schema, derived from the catalogue."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.types.field import StrawberryField

from graphql_schema.schema.batches import batch_members, batch_results
from graphql_schema.schema.building import (
    SCALAR_MAP,
    Argument,
    annotation,
    attribute,
    field,
    input_type,
    list_of,
    nullable,
    object_type,
)
from graphql_schema.schema.context import Info
from graphql_schema.schema.lists import list_parameters, parse_list_arguments
from graphql_schema.schema.naming import root_field_name
from graphql_schema.schema.nodes import Located, located, located_each
from graphql_schema.schema.types import Node, Types, result_type
from graphql_schema.schema.upload_field import UPLOAD_FIELD, UPLOAD_SCALAR, upload_mutation
from services.catalogue import Catalogue, Identifier, Kind, Operation, Problem
from services.catalogue.deprecation import deprecations_of
from services.catalogue.models import NoInput, description_of, fields_of, parse_input, parse_value
from services.catalogue.naming import EXPECTED, EXPECTED_WORDS, camel, pascal, snake
from services.catalogue.problems import IDEMPOTENCY_UNSUPPORTED
from services.catalogue.resources import Resource
from services.engine.authorization import Readable
from services.engine.writes import Write
from services.files.uploading import COMPLETE, CREATE, UPLOAD
from services.process import observation
from services.queries.limits import DEFAULTS, Limits
from services.queries.versions import Preconditions

_ABOUT_KEYS = "As the header `Idempotency-Key`: sent again with it, this is not done again, but answered as before."


def build_schema(catalogue: Catalogue, *, limits: Limits = DEFAULTS, uploads: bool = False) -> strawberry.Schema:
    """The schema of a catalogue. `uploads`: whether there is `uploadFile`, for catalogues that have files."""
    return _Builder(catalogue, limits, uploads=uploads and CREATE in catalogue.operations).schema()


class _Builder:
    def __init__(self, catalogue: Catalogue, limits: Limits, *, uploads: bool) -> None:
        self.catalogue, self.types, self.limits = catalogue, Types(catalogue, limits), limits
        self.uploads = uploads
        self._inputs: dict[str, Any] = {}

    def schema(self) -> strawberry.Schema:
        operations = sorted(self.catalogue.operations.values(), key=root_field_name)
        taken = {"node", "nodes", *([UPLOAD_FIELD] if self.uploads else [])}
        for each in operations:
            if root_field_name(each) in taken:
                raise each.fault(
                    f'its GraphQL field "{root_field_name(each)}" is taken already.', "Give it another name."
                )
            taken.add(root_field_name(each))
        queries = [self._query(each) for each in operations if each.is_read]
        mutations = [self._mutation(each) for each in operations if not each.is_read]
        if self.uploads:
            announced, complete = self.catalogue.operations[CREATE], self.catalogue.operations[COMPLETE]
            mutations.append(upload_mutation(self._payload(UPLOAD, complete), _input_members(announced)))
        return strawberry.Schema(
            query=object_type("Query", "Everything that can be read.", [*queries, self._node(), self._nodes()]),
            mutation=object_type("Mutation", "Everything that can be done.", mutations) if mutations else None,
            types=list(self.types.classes.values()),
            config=StrawberryConfig(scalar_map=SCALAR_MAP | UPLOAD_SCALAR),
        )

    def _query(self, operation: Operation) -> StrawberryField:
        resource = operation.resource
        assert resource is not None
        if operation.kind is Kind.LIST:
            return self._list(operation, resource)

        async def get(root: Any, info: Info, values: dict[str, Any]) -> Any:
            readable = info.context.loaders.allow(operation)
            key = parse_value(resource.adapter("id"), values["id"], ("id",)) if operation.on_a_row else None
            return self.types.wrap(resource, await info.context.gateway.row(readable, key))

        arguments = [_id_argument(resource)] if operation.on_a_row else []
        return field(
            operation.name.removeprefix("get_"), nullable(self.types.classes[resource]), operation.description, get,
            arguments, deprecated=operation.deprecated,
        )  # fmt: skip

    def _list(self, operation: Operation, resource: Resource[Any]) -> StrawberryField:
        async def listed(root: Any, info: Info, values: dict[str, Any]) -> Any:
            gateway, readable = info.context.gateway, info.context.loaders.allow(operation)
            arguments = parse_list_arguments(resource, values, self.limits)
            page, whole = await gateway.page(readable, arguments), arguments.whole()
            return self.types.wrap_page(resource, page, lambda: gateway.count(readable, whole))

        return field(
            operation.name.removeprefix("list_"), nullable(self.types.connections[resource]), operation.description,
            listed, list_parameters(resource, self.limits), deprecated=operation.deprecated,
        )  # fmt: skip

    def _mutation(self, operation: Operation) -> StrawberryField:
        taken = self._input(operation)

        async def mutate(root: Any, info: Info, values: dict[str, Any]) -> Any:
            await info.context.next_mutation()
            context = info.context
            admitted = await context.gateway.admit(operation, context.actor, context.client)
            data: dict[str, Any] = values["input"] if taken is not None else {}
            write = parse_write(operation, data)
            if values.get("idempotency_key") is not None or context.idempotency_key is not None:
                # What can be answered twice has been planned, and did not come here.
                parse_input(operation.input or NoInput, data)
                raise Problem(IDEMPOTENCY_UNSUPPORTED)
            return await context.gateway.write(admitted, write), write.key

        arguments = [Argument("input", taken, "What to do it with.", required=True)] if taken is not None else []
        arguments.append(Argument("idempotency_key", str, _ABOUT_KEYS))
        return field(
            operation.name, nullable(self._payload(operation.name, operation)), operation.description, mutate,
            arguments, deprecated=operation.deprecated,
        )  # fmt: skip

    def _input(self, operation: Operation) -> Any:
        """`CreateItemInput`, or None where nothing is taken; batches take those of the operations they are made of."""
        if operation.entries:
            members = batch_members(operation, self._input, self.limits.MAX_BATCH_ENTRIES)
        else:
            members = _input_members(operation)
        name = f"{pascal(operation.name)}Input"
        if members and name not in self._inputs:
            about = (operation.input.__doc__ if operation.input else None) or operation.description
            self._inputs[name] = input_type(name, " ".join(about.split()), members)
        return self._inputs.get(name)

    def _payload(self, called: str, operation: Operation) -> Any:
        """`CreateItemPayload { item }`; `LoginPayload { tokenPair }`; a deleted row's `id`; otherwise `ok`."""
        name, result = f"{pascal(called)}Payload", operation.result
        if isinstance(result, Resource):
            words = f"The {result.noun} as it is now."
            kind = self.types.classes[result]
            fields = [attribute(result.name, kind, words, lambda done: self.types.wrap(result, done[0]))]
        elif operation.kind is Kind.BATCH:
            fields = [batch_results(operation, self.types)]
        elif result is not None:
            words = " ".join((result.__doc__ or "What came of it.").split())
            fields = [attribute(snake(result.__name__), result_type(result), words, lambda done: done[0])]
        elif operation.kind is Kind.DELETE and operation.resource is not None:
            encode = operation.resource.encode
            fields = [attribute("id", strawberry.ID, "The identifier of what is gone.", lambda done: encode(done[1]))]
        else:
            fields = [attribute("ok", bool, "True: it is done.", lambda done: True)]
        return object_type(name, f"The outcome of `{camel(called)}`.", fields)

    def _node(self) -> StrawberryField:
        async def node(root: Any, info: Info, values: dict[str, Any]) -> Any:
            observation.note("node", str(info.context.actor))
            return await self._loaded(info, *located(info.context.gateway, info.context.actor, values["id"], ("id",)))

        argument = Argument("id", strawberry.ID, "The identifier of anything.", required=True)
        words = "Find anything by its identifier; null if it is not there or not readable."
        return field("node", nullable(Node), words, node, [argument])

    def _nodes(self) -> StrawberryField:
        async def nodes(root: Any, info: Info, values: dict[str, Any]) -> Any:
            observation.note("node", str(info.context.actor))
            found = located_each(info.context.gateway, info.context.actor, values["ids"])
            return await asyncio.gather(*(self._loaded_or_problem(info, each) for each in found))

        argument = Argument("ids", list_of(strawberry.ID), "The identifiers.", required=True)
        words = (
            "Find several by their identifiers, in the same order; null for what is not there or not readable. Among "
            "others, what is no identifier here is null too, with an error in its place."
        )
        return field("nodes", list_of(nullable(Node)), words, nodes, [argument])

    async def _loaded(self, info: Info, of: Readable, key: UUID) -> Any:
        return self.types.wrap(of.resource, await info.context.loaders.row(of, key))

    async def _loaded_or_problem(self, info: Info, found: Located | Problem) -> Any:
        """One of several: graphql-core makes an error of a Problem that takes its place."""
        return found if isinstance(found, Problem) else await self._loaded(info, *found)


def _id_argument(resource: Resource[Any]) -> Argument:
    words = f"The identifier of the {resource.noun}, `{Identifier(resource.prefix).form}`."
    return Argument("id", strawberry.ID, words, required=True)


def _input_members(operation: Operation) -> list[Argument]:
    members = [_id_argument(operation.resource)] if operation.on_a_row and operation.resource is not None else []
    if operation.input is not None:
        deprecated = deprecations_of(operation.input)
        for name, kind in fields_of(operation.input).items():
            required = operation.input.model_fields[name].is_required()
            single, description = annotation(replace(kind, nullable=False)), description_of(operation.input, name)
            members.append(Argument(name, single, description, required, deprecated.get(name)))
    if operation.on_a_row and operation.resource is not None:
        members.append(Argument(EXPECTED, str, EXPECTED_WORDS.format(operation.resource.noun)))
    return members


def parse_write(operation: Operation, data: dict[str, Any]) -> Write:
    """Return the write of an input. Raises `validation_failed` for a malformed identifier."""
    if not operation.on_a_row or operation.resource is None:
        return Write(None, data)
    key = parse_value(operation.resource.adapter("id"), data.pop("id"), ("id",))
    return Write(key, data, expected=Preconditions.version(data.pop(EXPECTED, None)))
